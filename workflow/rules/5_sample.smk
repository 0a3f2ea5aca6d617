# Requests → generated volumes, for every model and the floors. With `sample.shards` the volumes are made by
# so many jobs (sample_shard), whose tables `sample` puts together.


rule sample_shard:
    input:
        weights=weights,
        file=split_file,
        pairs=ancient(f"{RESULTS}/3_pairs/pairs.tsv"),
        chosen_by=f"{RESULTS}/3_pairs/chosen_by/{{cohort}}.json",
        quality=f"{RESULTS}/2_preprocess/{{cohort}}/quality.tsv",
    output:
        f"{RESULTS}/5_sample/{{model}}/{{cohort}}/samples-{{shard}}-of-{{shards}}.tsv",
    log:
        f"{RESULTS}/logs/sample/{{model}}/{{cohort}}-{{shard}}-of-{{shards}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample/{{model}}/{{cohort}}-{{shard}}-of-{{shards}}.tsv"
    conda:
        "../../envs/sample.yaml"
    threads: 4
    resources:
        gpu=1,
        batch=config["sample"]["batch"],
        mem_mb=growing(16000),
        runtime=720,
    params:
        settings=settings(study.sample_settings, "model"),
        code=code_of("sample"),
        weights=weights_option,
        out=folder_of_output,
    message:
        "sample: {wildcards.model} on {wildcards.cohort}, part {wildcards.shard} of {wildcards.shards}"
    shell:
        "python -m brainlapse sample --model {wildcards.model:q} {params.weights:q} --cohort {wildcards.cohort:q} --pairs {input.pairs:q} --quality {input.quality:q} --shard {wildcards.shard}/{wildcards.shards} --batch {resources.batch} --threads {threads} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"


rule sample:
    input:
        weights=weights,
        shards=shards_of_samples,
        file=split_file,
        pairs=ancient(f"{RESULTS}/3_pairs/pairs.tsv"),
        chosen_by=f"{RESULTS}/3_pairs/chosen_by/{{cohort}}.json",
        quality=f"{RESULTS}/2_preprocess/{{cohort}}/quality.tsv",
    output:
        requests=f"{RESULTS}/5_sample/{{model}}/{{cohort}}/requests.tsv",
        samples=f"{RESULTS}/5_sample/{{model}}/{{cohort}}/samples.tsv",
    log:
        f"{RESULTS}/logs/sample/{{model}}/{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample/{{model}}/{{cohort}}.tsv"
    conda:
        "../../envs/sample.yaml"
    threads: 4
    resources:
        gpu=gpus_of_samples,
        batch=config["sample"]["batch"],
        mem_mb=growing(16000),
        runtime=720,
    params:
        settings=settings(study.sample_settings, "model"),
        code=code_of("sample"),
        weights=weights_option,
        gather=gather_option,
        out=folder_of_output,
    message:
        "sample: {wildcards.model} on {wildcards.cohort}"
    shell:
        "python -m brainlapse sample --model {wildcards.model:q} {params.weights:q} --cohort {wildcards.cohort:q} --pairs {input.pairs:q} --quality {input.quality:q} {params.gather} --batch {resources.batch} --threads {threads} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
