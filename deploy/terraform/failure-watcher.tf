# The companion outside, in one place for an account and region: a function that tells of the failures that no
# sandbox sees.

variable "failure_watcher" {
  description = "The failure watcher, with a queue for the on-failure records of your functions; null for none. zip is the file that deploy/failure-watcher/build makes. The states of the functions that function_names or tag (KEY or KEY=VALUE) choose are checked every check_minutes (1 to 5, for alarms to see what lasts); the other checks may be left out one by one. function_errors = true tells of what failed within a function too: set it where no function has the layer, which tells of that, as it would count twice. dead_letters says whose dead letters a queue or topic holds, the function's name by its own, where copies of dead letters come to the queue."
  type = object({
    zip                = string
    name               = optional(string, "lambda-triage-failure-watcher")
    function_names     = optional(set(string), [])
    tag                = optional(string)
    check_minutes      = optional(number, 5)
    key_checks         = optional(bool, true)
    concurrency_checks = optional(bool, true)
    recursion_checks   = optional(bool, true)
    function_errors    = optional(bool, false)
    dead_letters       = optional(map(string), {})
    retention_in_days  = optional(number, 30)
  })
  default = null

  validation {
    condition     = var.failure_watcher == null || can(regex("failure-watcher-(x86_64|arm64)[.]zip$", var.failure_watcher.zip))
    error_message = "failure_watcher.zip must be a failure-watcher-x86_64.zip or failure-watcher-arm64.zip, as deploy/failure-watcher/build makes them."
  }
  validation {
    condition     = var.failure_watcher == null || can(regex("^[A-Za-z0-9_-]{1,48}$", var.failure_watcher.name))
    error_message = "failure_watcher.name must have 1 to 48 letters, digits, hyphens and underscores."
  }
  validation {
    condition     = var.failure_watcher == null || alltrue([for name in try(var.failure_watcher.function_names, []) : can(regex("^[A-Za-z0-9_-]{1,64}$", name))])
    error_message = "Each of failure_watcher.function_names must be a function's name alone, not its ARN."
  }
  validation {
    condition     = try(var.failure_watcher.tag, null) == null || can(regex("^[A-Za-z0-9_.:/+@-]{1,128}(=[A-Za-z0-9_.:/+=@-]{0,256})?$", var.failure_watcher.tag))
    error_message = "failure_watcher.tag must be KEY or KEY=VALUE."
  }
  validation {
    condition     = var.failure_watcher == null || alltrue([for from, name in try(var.failure_watcher.dead_letters, {}) : can(regex("^[A-Za-z0-9_-]{1,256}$", from)) && can(regex("^[A-Za-z0-9_-]{1,64}$", name))])
    error_message = "failure_watcher.dead_letters must be functions' names by the names of queues or topics."
  }
  validation {
    condition     = var.failure_watcher == null || try(var.failure_watcher.check_minutes >= 1 && var.failure_watcher.check_minutes <= 5 && floor(var.failure_watcher.check_minutes) == var.failure_watcher.check_minutes, false)
    error_message = "failure_watcher.check_minutes must be a whole number from 1 to 5: the alarm of StateConflicts asks for three minutes of fifteen."
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  watchers = var.failure_watcher == null ? {} : { (var.failure_watcher.name) = var.failure_watcher }
  # Those that have functions to check.
  checkers = { for name, watcher in local.watchers : name => watcher if length(watcher.function_names) > 0 || watcher.tag != null }
  own = {
    for service in ["lambda", "kms"] : service => "arn:${data.aws_partition.current.partition}:${service}:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}"
  }
  # Those of the list alone, or where a tag chooses, any.
  checked_arns = {
    for name, watcher in local.checkers : name => watcher.tag != null ? ["${local.own.lambda}:function:*"] : [for checked in watcher.function_names : "${local.own.lambda}:function:${checked}"]
  }
  # What each check asks, and of what. Two actions know no resources.
  check_statements = {
    for name, watcher in local.checkers : name => concat(
      [{ Effect = "Allow", Action = "lambda:GetFunctionConfiguration", Resource = local.checked_arns[name] }],
      watcher.tag == null ? [] : [{ Effect = "Allow", Action = "tag:GetResources", Resource = ["*"] }],
      !watcher.key_checks ? [] : [{ Effect = "Allow", Action = "kms:DescribeKey", Resource = ["${local.own.kms}:key/*"] }],
      !watcher.concurrency_checks ? [] : [
        { Effect = "Allow", Action = "lambda:GetFunctionConcurrency", Resource = local.checked_arns[name] },
        { Effect = "Allow", Action = "lambda:GetAccountSettings", Resource = ["*"] },
      ],
      !watcher.recursion_checks ? [] : [{ Effect = "Allow", Action = "lambda:GetFunctionRecursionConfig", Resource = local.checked_arns[name] }],
    )
  }
}

resource "aws_lambda_function" "failure_watcher" {
  for_each = local.watchers

  function_name    = each.key
  description      = "Tells of the failures that no sandbox sees"
  filename         = each.value.zip
  source_code_hash = try(filebase64sha256(each.value.zip), null)
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [regex("failure-watcher-(x86_64|arm64)", each.value.zip)[0]]
  memory_size      = 128
  timeout          = 60
  role             = aws_iam_role.failure_watcher[each.key].arn

  environment {
    variables = {
      TRIAGE_NAMESPACE       = var.namespace
      TRIAGE_FUNCTIONS       = join(",", each.value.function_names)
      TRIAGE_TAG             = each.value.tag == null ? "" : each.value.tag
      TRIAGE_FUNCTION_ERRORS = each.value.function_errors ? "on" : "off"
      TRIAGE_DEAD_LETTERS    = join(",", [for from, name in each.value.dead_letters : "${from}=${name}"])
    }
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.failure_watcher[each.key].name
  }
}

resource "aws_cloudwatch_log_group" "failure_watcher" {
  for_each = local.watchers

  name              = "/aws/lambda/${each.key}"
  retention_in_days = each.value.retention_in_days
}

resource "aws_sqs_queue" "failures" {
  for_each = local.watchers

  name                      = "${each.key}-failures"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 345600
  # Six times the function's timeout, as AWS asks for, and the batching window.
  visibility_timeout_seconds = 370
  # A message that was throttled has counted as received: a storm must not use them up.
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.unread[each.key].arn, maxReceiveCount = 20 })
}

# What the failure watcher could not read twenty times.
resource "aws_sqs_queue" "unread" {
  for_each = local.watchers

  name                      = "${each.key}-unread"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_lambda_event_source_mapping" "failures" {
  for_each   = local.watchers
  depends_on = [aws_iam_role_policy.failure_watcher]

  function_name                      = aws_lambda_function.failure_watcher[each.key].function_name
  event_source_arn                   = aws_sqs_queue.failures[each.key].arn
  batch_size                         = 100
  maximum_batching_window_in_seconds = 5
  function_response_types            = ["ReportBatchItemFailures"]

  # The least there is: each sandbox remembers by itself what it has told. Reserved concurrency instead would have
  # batches throttled, and lost.
  scaling_config {
    maximum_concurrency = 2
  }
}

resource "aws_cloudwatch_event_rule" "state_checks" {
  for_each = local.checkers

  name                = "${each.key}-checks"
  description         = "Has the failure watcher check functions' states"
  schedule_expression = each.value.check_minutes == 1 ? "rate(1 minute)" : "rate(${each.value.check_minutes} minutes)"
}

resource "aws_cloudwatch_event_target" "state_checks" {
  for_each = local.checkers

  rule = aws_cloudwatch_event_rule.state_checks[each.key].name
  arn  = aws_lambda_function.failure_watcher[each.key].arn
}

resource "aws_lambda_permission" "state_checks" {
  for_each = local.checkers

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.failure_watcher[each.key].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.state_checks[each.key].arn
}

# What is about to fail counts in no metric of the functions': it has one of its own.
resource "aws_cloudwatch_log_metric_filter" "about_to_fail" {
  for_each = local.checkers

  name           = "${each.key}-about-to-fail"
  log_group_name = aws_cloudwatch_log_group.failure_watcher[each.key].name
  pattern        = "{ $.diagnosis.stage = \"imminent\" }"

  metric_transformation {
    namespace = var.namespace
    name      = "ImminentProblems"
    value     = "1"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "about_to_fail" {
  for_each = local.checkers

  alarm_name        = "lambda-triage.ImminentProblems"
  alarm_description = "Some function is about to fail, or would not be stopped in a loop: its key is disabled or pending deletion, its reserved concurrency is 0, one function holds the account's concurrency, it is Inactive, or its last update failed. The saved query \"What went wrong in the last day\" of the function shows it."
  namespace         = var.namespace
  metric_name       = "ImminentProblems"
  statistic         = "Sum"
  # It is told once an hour while it lasts.
  period              = 3600
  evaluation_periods  = 2
  datapoints_to_alarm = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics.warning
}

# The failure watcher tells of others; this tells of it.
resource "aws_cloudwatch_metric_alarm" "unread_failures" {
  for_each = local.watchers

  alarm_name          = "lambda-triage.${each.key}.UnreadFailures"
  alarm_description   = "Messages that the failure watcher ${each.key} could not read twenty times lie in the queue ${each.key}-unread. Its log says why, as \"not taken\", or that it fails itself."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.unread[each.key].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics.warning
}

resource "aws_iam_role" "failure_watcher" {
  for_each = local.watchers

  name = "${each.key}-${data.aws_region.current.name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "failure_watcher" {
  for_each = local.watchers

  name = "tells"
  role = aws_iam_role.failure_watcher[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.failure_watcher[each.key].arn}:*"
      },
      {
        Effect   = "Allow"
        Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = aws_sqs_queue.failures[each.key].arn
      },
    ]
  })
}

resource "aws_iam_role_policy" "state_checks" {
  for_each = local.checkers

  name   = "checks"
  role   = aws_iam_role.failure_watcher[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.check_statements[each.key] })
}

output "failure_queue_arn" {
  description = "The on-failure destination to give to your functions (no dead-letter queue: what is told is deleted); null without failure_watcher."
  value       = one(values(aws_sqs_queue.failures)[*].arn)
}

output "failure_watcher_log_group" {
  description = "Where the failure watcher writes, the failure_watcher_log_group of other modules; null without failure_watcher."
  value       = one(values(aws_cloudwatch_log_group.failure_watcher)[*].name)
}

output "failure_watcher_arn" {
  description = "The failure watcher, an on-failure destination too; null without failure_watcher."
  value       = one(values(aws_lambda_function.failure_watcher)[*].arn)
}
