# One job a row of `models`. A killed job goes on from {model}/resume when it runs again.


rule train:
    input:
        file=split_file,
        pairs=ancient(f"{RESULTS}/3_pairs/pairs.tsv"),
        chosen_by=of_cohorts("3_pairs/chosen_by/COHORT.json", LEARNT_FROM),
        quality=of_cohorts("2_preprocess/COHORT/quality.tsv", LEARNT_FROM),
        volumes=of_cohorts("2_preprocess/COHORT/volumes.npy", LEARNT_FROM),
    output:
        weights=f"{RESULTS}/4_train/{{model}}/model.safetensors",
        settings=f"{RESULTS}/4_train/{{model}}/settings.json",
        log=f"{RESULTS}/4_train/{{model}}/log.jsonl",
    log:
        f"{RESULTS}/logs/train/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{model}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 8
    resources:
        gpu=config["train"]["processes"],
        options=study.train_options(config),
        launcher="",  # a cluster's srun, where several machines train one model (workflow/profiles/slurm)
        mem_mb=growing(16000),
        runtime=2880,
    params:
        settings=settings(study.train_settings, "model"),
        code=code_of("train"),
        out=folder_of_output,
    message:
        "train: {wildcards.model}"
    shell:
        "{resources.launcher} python -m brainlapse train --model {wildcards.model:q} --pairs {input.pairs:q} --quality {input.quality:q} --threads {threads} {resources.options} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
