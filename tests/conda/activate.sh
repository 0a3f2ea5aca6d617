# What `source CONDA/bin/activate ENV` does, for the test double of conda.
export CONDA_PREFIX="$1" CONDA_DEFAULT_ENV="$1" CONDA_SHLVL=1 PATH="$1/bin:$PATH"
for script in "$1"/etc/conda/activate.d/*.sh; do
    if [ -e "$script" ]; then source "$script"; fi
done
