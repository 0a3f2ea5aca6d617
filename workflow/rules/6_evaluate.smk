# Samples → scores, a model and cohort at a time; then all of them against copying the source and each other.


rule score:
    input:
        samples=f"{RESULTS}/5_sample/{{model}}/{{cohort}}/samples.tsv",
        quality=f"{RESULTS}/2_preprocess/{{cohort}}/quality.tsv",
    output:
        scores=f"{RESULTS}/6_evaluate/{{model}}/{{cohort}}/scores.tsv",
        distributions=f"{RESULTS}/6_evaluate/{{model}}/{{cohort}}/distributions.tsv",
    log:
        f"{RESULTS}/logs/score/{{model}}/{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score/{{model}}/{{cohort}}.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=240,
    params:
        settings=settings(study.score_settings),
        code=code_of("evaluate"),
        samples=folder_of_samples,
        out=folder_of_output,
    message:
        "evaluate: score {wildcards.model} on {wildcards.cohort}"
    shell:
        "python -m brainlapse evaluate --model {wildcards.model:q} --cohort {wildcards.cohort:q} --quality {input.quality:q} --samples {params.samples:q} --threads {threads} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"


rule compare:
    input:
        scores=expand(
            f"{RESULTS}/6_evaluate/{{model}}/{{cohort}}/{{table}}.tsv",
            model=MODELS,
            cohort=COHORTS,
            table=("scores", "distributions"),
        ),
        requests=of_cohorts("5_sample/copy/COHORT/requests.tsv"),
        scans=of_cohorts("1_manifest/COHORT/scans.tsv"),
    output:
        scores=f"{RESULTS}/6_evaluate/scores.tsv",
        distributions=f"{RESULTS}/6_evaluate/distributions.tsv",
        comparisons=f"{RESULTS}/6_evaluate/comparisons.tsv",
        subgroups=f"{RESULTS}/6_evaluate/subgroups.tsv",
        contrasts=f"{RESULTS}/6_evaluate/contrasts.tsv",
        cohorts=f"{RESULTS}/6_evaluate/cohorts.tsv",
        stability=f"{RESULTS}/6_evaluate/stability.tsv",
    log:
        f"{RESULTS}/logs/compare.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        settings=settings(study.compare_settings),
        code=code_of("evaluate"),
        scores=folders_of_scores,
        out=folder_of_output,
    message:
        "evaluate: compare all models with copying the source and with each other"
    shell:
        "python -m brainlapse evaluate --scores {params.scores:q} --requests {input.requests:q} --scans {input.scans:q} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
