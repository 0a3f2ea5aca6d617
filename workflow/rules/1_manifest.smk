# A study's own tables and folders → scans.tsv. The phantom study is written here first.


rule phantom:
    output:
        "{root}/truth/truth.tsv",
    log:
        f"{RESULTS}/logs/phantom/{{root}}.log",
    conda:
        "../../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        settings=study.canonical(study.phantom_settings(config)),
        code=code_of("phantom"),
    message:
        "phantom: write a made-up ADNI download to {wildcards.root}"
    shell:
        "python -m brainlapse phantom --settings {params.settings:q} --out {wildcards.root:q} 2>&1 | tee {log:q}"


checkpoint manifest:
    input:
        phantom_truth,
    output:
        scans=f"{RESULTS}/1_manifest/{{cohort}}/scans.tsv",
        rejected=f"{RESULTS}/1_manifest/{{cohort}}/rejected.tsv",
        funnel=f"{RESULTS}/1_manifest/{{cohort}}/funnel.tsv",
    log:
        f"{RESULTS}/logs/manifest/{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/manifest/{{cohort}}.tsv"
    conda:
        "../../envs/manifest.yaml"
    threads: 4  # conversions of DICOM series at once
    resources:
        mem_mb=growing(4000),
        runtime=720,
    params:
        settings=settings(study.manifest_settings, "cohort"),
        code=code_of("manifest"),
        download=lambda wc: DOWNLOADS[wc.cohort],
        out=folder_of_output,
    message:
        "manifest: which scans of {wildcards.cohort} can be used"
    shell:
        "python -m brainlapse manifest --cohort {wildcards.cohort} --settings {params.settings:q} --threads {threads} --out {params.out:q} 2>&1 | tee {log:q}"
