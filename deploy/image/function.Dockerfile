# A function in a container image, with the extension: the first FROM and the first COPY are all it takes.
# The image must have glibc, as every AWS base image has: not Alpine, not scratch.
ARG TRIAGE=lambda-triage:x86_64
FROM ${TRIAGE} AS lambda-triage
FROM public.ecr.aws/lambda/python:3.13
COPY --from=lambda-triage /opt/extensions/ /opt/extensions/
COPY app.py ${LAMBDA_TASK_ROOT}/
CMD ["app.handler"]
