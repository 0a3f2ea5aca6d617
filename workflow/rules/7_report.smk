# Everything → one page, and one for each person whose follow-up was predicted.


rule report:
    input:
        f"{RESULTS}/6_evaluate/scores.tsv",
        f"{RESULTS}/6_evaluate/comparisons.tsv",
        f"{RESULTS}/6_evaluate/distributions.tsv",
        f"{RESULTS}/6_evaluate/subgroups.tsv",
        f"{RESULTS}/6_evaluate/contrasts.tsv",
        f"{RESULTS}/6_evaluate/cohorts.tsv",
        f"{RESULTS}/6_evaluate/stability.tsv",
        f"{RESULTS}/3_pairs/splits.tsv",
        f"{RESULTS}/3_pairs/pairs.tsv",
        f"{RESULTS}/3_pairs/funnel.tsv",
        of_cohorts("1_manifest/COHORT/funnel.tsv"),
        of_cohorts("1_manifest/COHORT/rejected.tsv"),
        of_cohorts("2_preprocess/COHORT/quality.tsv"),
        expand(f"{RESULTS}/4_train/{{model}}/log.jsonl", model=study.trained(config)),
    output:
        report(
            f"{RESULTS}/7_report/index.html",
            caption="../report/page.rst",
            category="Study",
        ),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        settings=settings(study.report_settings),
        code=code_of("report"),
        results=results_folder,
    message:
        "report: one page for the study"
    shell:
        "python -m brainlapse report --results {params.results:q} --settings {params.settings:q} --out {output:q} 2>&1 | tee {log:q}"


rule subjects:
    input:
        f"{RESULTS}/6_evaluate/scores.tsv",
        f"{RESULTS}/3_pairs/pairs.tsv",
        of_cohorts("1_manifest/COHORT/scans.tsv"),
        of_cohorts("2_preprocess/COHORT/quality.tsv"),
    output:
        f"{RESULTS}/7_report/subjects/index.html",
    log:
        f"{RESULTS}/logs/subjects.log",
    benchmark:
        f"{RESULTS}/benchmarks/subjects.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=120,
    params:
        settings=settings(study.subjects_settings),
        code=code_of("report"),
        results=folder_above_pages,
        out=folder_of_output,
    message:
        "report: a page for each person"
    shell:
        "python -m brainlapse report --subjects --results {params.results:q} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
