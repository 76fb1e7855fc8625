# terraform test: offline, without an account.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = {
      name = "eu-west-1"
    }
  }
  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
    }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-west-1:123456789012:failures"
    }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn = "arn:aws:lambda:eu-west-1:123456789012:function:lambda-triage-failure-watcher"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::123456789012:role/lambda-triage-failure-watcher-eu-west-1"
    }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = {
      arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/lambda-triage-failure-watcher"
    }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = {
      arn = "arn:aws:events:eu-west-1:123456789012:rule/lambda-triage-failure-watcher-checks"
    }
  }
}

variables {
  function_names  = []
  alarm_topic_arn = "none"
}

run "there_is_none_unless_it_is_asked_for" {
  assert {
    condition     = length(aws_lambda_function.failure_watcher) + length(aws_iam_role.failure_watcher) + length(aws_sqs_queue.failures) + length(aws_cloudwatch_event_rule.state_checks) == 0
    error_message = "Nothing that was not asked for may be made."
  }
  assert {
    condition     = output.failure_queue_arn == null && output.failure_watcher_arn == null
    error_message = "There is no queue."
  }
}

run "without_functions_to_check_it_reads_its_queue_and_may_do_nothing_else" {
  variables {
    failure_watcher = { zip = "target/failure-watcher/failure-watcher-arm64.zip" }
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.failure_watcher["lambda-triage-failure-watcher"].policy).Statement == [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/lambda-triage-failure-watcher:*"
      },
      {
        Effect   = "Allow"
        Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = "arn:aws:sqs:eu-west-1:123456789012:failures"
      },
    ]
    error_message = "It may read the queue and write its log."
  }
  assert {
    condition     = length(aws_iam_role_policy.state_checks) == 0 && length(aws_cloudwatch_event_rule.state_checks) == 0
    error_message = "No check without functions."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.failures["lambda-triage-failure-watcher"].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "The queue must be answered item by item."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.failures["lambda-triage-failure-watcher"].scaling_config[0].maximum_concurrency == 2 && jsondecode(aws_sqs_queue.failures["lambda-triage-failure-watcher"].redrive_policy).maxReceiveCount >= 20
    error_message = "A storm must neither be told by many sandboxes nor be lost."
  }
  assert {
    condition     = aws_lambda_function.failure_watcher["lambda-triage-failure-watcher"].architectures == tolist(["arm64"])
    error_message = "The architecture must be the file's."
  }
  assert {
    condition     = aws_sqs_queue.failures["lambda-triage-failure-watcher"].visibility_timeout_seconds >= 6 * aws_lambda_function.failure_watcher["lambda-triage-failure-watcher"].timeout + aws_lambda_event_source_mapping.failures["lambda-triage-failure-watcher"].maximum_batching_window_in_seconds
    error_message = "A message must not come again while it is worked on."
  }
  assert {
    condition     = output.failure_queue_arn == "arn:aws:sqs:eu-west-1:123456789012:failures"
    error_message = "Functions need the queue's ARN."
  }
}

run "its_lines_are_in_the_dashboards_and_queries_of_the_same_module" {
  variables {
    function_names  = ["orders"]
    failure_watcher = { zip = "failure-watcher-x86_64.zip" }
  }
  assert {
    condition     = aws_cloudwatch_query_definition.function["orders/KMS errors by key"].log_group_names == tolist(["/aws/lambda/orders", "/aws/lambda/lambda-triage-failure-watcher"])
    error_message = "The queries must read them."
  }
  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.function["orders"].dashboard_body, "SOURCE '/aws/lambda/lambda-triage-failure-watcher' | ")
    error_message = "The dashboard's tables must read them."
  }
}

run "all_checks_permit_what_they_ask_and_nothing_else" {
  variables {
    failure_watcher = {
      zip            = "failure-watcher-x86_64.zip"
      function_names = ["orders", "billing"]
      tag            = "triage=yes"
      check_minutes  = 1
      dead_letters   = { "orders-dlq" = "orders", alerts = "billing" }
    }
    warning_topic_arn = "arn:aws:sns:eu-west-1:123456789012:chat"
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.state_checks["lambda-triage-failure-watcher"].policy).Statement : statement.Action => statement.Resource } == {
      "kms:DescribeKey"                   = ["arn:aws:kms:eu-west-1:123456789012:key/*"]
      "lambda:GetAccountSettings"         = ["*"]
      "lambda:GetFunctionConcurrency"     = ["arn:aws:lambda:eu-west-1:123456789012:function:*"]
      "lambda:GetFunctionConfiguration"   = ["arn:aws:lambda:eu-west-1:123456789012:function:*"]
      "lambda:GetFunctionRecursionConfig" = ["arn:aws:lambda:eu-west-1:123456789012:function:*"]
      "tag:GetResources"                  = ["*"]
    }
    error_message = "Each action, on functions and keys of this account and region."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.state_checks["lambda-triage-failure-watcher"].schedule_expression == "rate(1 minute)"
    error_message = "A rate of one is written without the plural."
  }
  assert {
    condition = aws_lambda_function.failure_watcher["lambda-triage-failure-watcher"].environment[0].variables == tomap({
      TRIAGE_NAMESPACE       = "LambdaTriage"
      TRIAGE_FUNCTIONS       = "billing,orders"
      TRIAGE_TAG             = "triage=yes"
      TRIAGE_FUNCTION_ERRORS = "off"
      TRIAGE_DEAD_LETTERS    = "alerts=billing,orders-dlq=orders"
    })
    error_message = "It must be told what to check."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.about_to_fail["lambda-triage-failure-watcher"].alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:chat"]) && aws_cloudwatch_metric_alarm.unread_failures["lambda-triage-failure-watcher"].alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:chat"]) && contains(output.alarm_names, "lambda-triage.ImminentProblems") && contains(output.alarm_names, "lambda-triage.lambda-triage-failure-watcher.UnreadFailures")
    error_message = "What is about to fail is a warning."
  }
  assert {
    condition     = aws_cloudwatch_log_metric_filter.about_to_fail["lambda-triage-failure-watcher"].metric_transformation[0].name == aws_cloudwatch_metric_alarm.about_to_fail["lambda-triage-failure-watcher"].metric_name
    error_message = "The alarm must watch what the filter counts."
  }
}

run "a_check_that_is_left_out_permits_nothing" {
  variables {
    failure_watcher = {
      zip                = "failure-watcher-x86_64.zip"
      function_names     = ["orders"]
      key_checks         = false
      concurrency_checks = false
      recursion_checks   = false
      function_errors    = true
    }
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.state_checks["lambda-triage-failure-watcher"].policy).Statement == [{
      Effect   = "Allow"
      Action   = "lambda:GetFunctionConfiguration"
      Resource = ["arn:aws:lambda:eu-west-1:123456789012:function:orders"]
    }]
    error_message = "The state alone, and of that function alone."
  }
  assert {
    condition     = aws_lambda_function.failure_watcher["lambda-triage-failure-watcher"].environment[0].variables.TRIAGE_FUNCTION_ERRORS == "on"
    error_message = "Where no function has the layer, nobody else tells of them."
  }
}

run "what_means_nothing_is_refused" {
  command = plan
  variables {
    failure_watcher = {
      zip            = "watcher.zip"
      name           = "a b"
      function_names = ["arn:aws:lambda:eu-west-1:123456789012:function:orders"]
      tag            = "a tag"
      dead_letters   = { "a b" = "orders" }
      check_minutes  = 0.5
    }
  }
  expect_failures = [var.failure_watcher]
}

run "checks_that_no_alarm_would_see_are_refused" {
  command = plan
  variables {
    failure_watcher = {
      zip            = "failure-watcher-x86_64.zip"
      function_names = ["orders"]
      check_minutes  = 6
    }
  }
  expect_failures = [var.failure_watcher]
}
