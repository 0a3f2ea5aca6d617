"""`template`: the head template that the config names, fetched from TemplateFlow into a folder, once."""


def run(options) -> None:
    """Fetch the template `options.name` into the folder `options.out`."""
    from brainlapse.template.templateflow import fetch  # needs templateflow, which the help does without

    fetch(options.name, options.out)
