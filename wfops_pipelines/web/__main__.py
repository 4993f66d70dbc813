from wfops_pipelines.web.server import main

main()
