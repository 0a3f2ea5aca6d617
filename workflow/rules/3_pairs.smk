# Accepted scans → (source, target, interval, history) and the split of every person. Beside its outputs the
# stage keeps splits_memory.tsv, which must be no output: Snakemake takes outputs away before a job.


# pairs.tsv has the pairs of all cohorts, and a further one that is only tested must train nothing. So what follows
# does not ask for the age of the table but for this: what a cohort's pairs are chosen by.
localrules:
    choice,


rule choice:
    output:
        f"{RESULTS}/3_pairs/chosen_by/{{cohort}}.json",
    log:
        f"{RESULTS}/logs/choice/{{cohort}}.log",
    conda:
        "../../envs/pairs.yaml"
    params:
        settings=settings(study.choice_settings, "cohort"),
        code=code_of("pairs"),
    message:
        "pairs: what chooses those of {wildcards.cohort}"
    shell:
        "printf '%s\\n' {params.settings:q} > {output:q} 2> {log:q}"


# A checkpoint, after which Snakemake looks again at what follows: it had not while this was to be made.
checkpoint pairs:
    input:
        scans=of_cohorts("1_manifest/COHORT/scans.tsv"),
        quality=of_cohorts("2_preprocess/COHORT/quality.tsv"),
        file=split_file,
    output:
        splits=f"{RESULTS}/3_pairs/splits.tsv",
        pairs=f"{RESULTS}/3_pairs/pairs.tsv",
        funnel=f"{RESULTS}/3_pairs/funnel.tsv",
    log:
        f"{RESULTS}/logs/pairs.log",
    benchmark:
        f"{RESULTS}/benchmarks/pairs.tsv"
    conda:
        "../../envs/pairs.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        settings=settings(study.pairs_settings),
        code=code_of("pairs"),
        out=folder_of_output,
    message:
        "pairs: sources, targets and splits by person"
    shell:
        "python -m brainlapse pairs --scans {input.scans:q} --quality {input.quality:q} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
