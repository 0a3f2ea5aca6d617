# One job a subject: its visits are aligned to each other. A new scan runs its subject alone.


rule preprocess:
    input:
        images=images_of_subject,
        scans=ancient(f"{RESULTS}/1_manifest/{{cohort}}/scans.tsv"),
    output:
        f"{RESULTS}/2_preprocess/{{cohort}}/sub-{{subject}}/quality.tsv",
    log:
        f"{RESULTS}/logs/preprocess/{{cohort}}/{{subject}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/preprocess/{{cohort}}/{{subject}}.tsv"
    conda:
        "../../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=settings(study.preprocess_settings),
        code=code_of("preprocess"),
        out=cohort_folder_of_output,
    message:
        "preprocess: {wildcards.subject} of {wildcards.cohort}"
    shell:
        "python -m brainlapse preprocess --scans {input.scans:q} --subject {wildcards.subject:q} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"


rule gather:
    input:
        quality_of_subjects,
        scans=f"{RESULTS}/1_manifest/{{cohort}}/scans.tsv",
    output:
        quality=f"{RESULTS}/2_preprocess/{{cohort}}/quality.tsv",
        volumes=f"{RESULTS}/2_preprocess/{{cohort}}/volumes.npy",
    log:
        f"{RESULTS}/logs/gather/{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gather/{{cohort}}.tsv"
    conda:
        "../../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings(study.preprocess_settings),
        code=code_of("preprocess"),
        out=folder_of_output,
    message:
        "preprocess: gather the scans of {wildcards.cohort}"
    shell:
        "python -m brainlapse preprocess --gather --scans {input.scans:q} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
