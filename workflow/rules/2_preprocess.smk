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


# A few people, always the same ones while the cohort does not double. On a cluster they and this are a group, and
# with it one submission (workflow/profiles/slurm). Snakemake's own way to join jobs, --group-components, is not safe
# after a checkpoint: a run that was resumed submits people twice, or without end (snakemake #1628).
rule people:
    input:
        quality_of_people,
    output:
        f"{RESULTS}/2_preprocess/{{cohort}}/people/{{part}}-of-{{parts}}.txt",
    log:
        f"{RESULTS}/logs/people/{{cohort}}-{{part}}-of-{{parts}}.log",
    conda:
        "../../envs/preprocess.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=1,
    params:
        subjects=subjects_of_part,
    message:
        "people: part {wildcards.part} of {wildcards.parts} of {wildcards.cohort}"
    shell:
        "printf '%s\\n' {params.subjects:q} > {output:q} 2> {log:q}"


rule gather:
    input:
        parts_of_people,
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
