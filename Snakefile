# brainlapse: a person's brain MRI today and a number of years → the MRI of then.
# The stages in the order of the data; the study is described in config.yaml.


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/1_manifest.smk"
include: "workflow/rules/2_preprocess.smk"
include: "workflow/rules/3_pairs.smk"
include: "workflow/rules/4_train.smk"
include: "workflow/rules/5_sample.smk"
include: "workflow/rules/6_evaluate.smk"
include: "workflow/rules/7_report.smk"


# The default target, as the first rule that is not included; where this file is a module, the other's is.
rule all:
    input:
        f"{RESULTS}/7_report/index.html",
        f"{RESULTS}/7_report/subjects/index.html",
        what_it_is_made_of,
