from wfops_pipelines.cli import main

main()
