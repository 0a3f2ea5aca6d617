# Requests → generated volumes, for every model and the floors.


rule sample:
    input:
        weights=weights,
        pairs=f"{RESULTS}/3_pairs/pairs.tsv",
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
        gpu=1,
        batch=config["sample"]["batch"],
        mem_mb=16000,
        runtime=720,
    params:
        settings=settings(study.sample_settings, "model"),
        code=code_of("sample"),
        weights=weights_option,
        out=folder_of_output,
    message:
        "sample: {wildcards.model} on {wildcards.cohort}"
    shell:
        "python -m brainlapse sample --model {wildcards.model:q} {params.weights:q} --cohort {wildcards.cohort:q} --pairs {input.pairs:q} --quality {input.quality:q} --batch {resources.batch} --threads {threads} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
