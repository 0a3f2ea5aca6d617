# One job a subject: its visits are aligned to each other. A new scan runs its subject alone.


# A template of TemplateFlow is fetched once, where Snakemake itself runs: no job needs the network.
localrules:
    template,


rule template:
    output:
        directory(f"{RESULTS}/0_templates/{{template}}"),
    log:
        f"{RESULTS}/logs/template/{{template}}.log",
    conda:
        "../../envs/template.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=30,
    message:
        "template: fetch {wildcards.template} from TemplateFlow"
    shell:
        "python -m brainlapse template --name {wildcards.template:q} --out {output:q} 2>&1 | tee {log:q}"


rule preprocess:
    input:
        images=images_of_subject,
        scans=ancient(f"{RESULTS}/1_manifest/{{cohort}}/scans.tsv"),
        template=head_template,
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
        mem_mb=growing(4000),
        runtime=120,
    params:
        settings=settings(study.preprocess_settings),
        code=code_of("preprocess.subject"),
        template=template_option,
        out=cohort_folder_of_output,
    message:
        "preprocess: {wildcards.subject} of {wildcards.cohort}"
    shell:
        "python -m brainlapse preprocess --scans {input.scans:q} --subject {wildcards.subject:q} --settings {params.settings:q} {params.template:q} --out {params.out:q} 2>&1 | tee {log:q}"


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
        mem_mb=growing(4000),
        runtime=60,
    params:
        settings=settings(study.gather_settings),
        code=code_of("preprocess.gather"),
        out=folder_of_output,
    message:
        "preprocess: gather the scans of {wildcards.cohort}"
    shell:
        "python -m brainlapse preprocess --gather --scans {input.scans:q} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"


# The page to look through the scans, and the same files under names that BIDS allows.
rule show:
    input:
        quality=f"{RESULTS}/2_preprocess/{{cohort}}/quality.tsv",
        scans=f"{RESULTS}/1_manifest/{{cohort}}/scans.tsv",
    output:
        gallery=f"{RESULTS}/2_preprocess/{{cohort}}/quality.html",
        bids=f"{RESULTS}/2_preprocess/{{cohort}}/bids/dataset_description.json",
    log:
        f"{RESULTS}/logs/show/{{cohort}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/show/{{cohort}}.tsv"
    conda:
        "../../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        settings=settings(study.preprocess_settings),
        code=code_of("preprocess"),
        out=folder_of_output,
    message:
        "show: the gallery and the BIDS dataset of {wildcards.cohort}"
    shell:
        "python -m brainlapse preprocess --show --scans {input.scans:q} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
