variable "function_names" {
  description = "The functions to watch, by name, that have the layer attached. Each gets alarms, a dashboard and saved queries."
  type        = set(string)
  nullable    = false

  validation {
    condition     = alltrue([for name in var.function_names : can(regex("^[A-Za-z0-9_-]{1,64}$", name))])
    error_message = "Each of function_names must be a function's name alone, not its ARN: 1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "alarm_topic_arn" {
  description = "The SNS topic that the alarms tell, in the provider's region; or the word none, for alarms that tell nobody."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(none|arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of a standard SNS topic, or the word none if nobody is to be told."
  }
}

variable "warning_topic_arn" {
  description = "The SNS topic for what is not certain or not yet a failure (near-timeouts, suspicions, lost telemetry); or none."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = can(regex("^(none|arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)$", var.warning_topic_arn))
    error_message = "warning_topic_arn must be the ARN of a standard SNS topic, or the word none."
  }
}

variable "log_groups" {
  description = "The log groups of those functions that have another than /aws/lambda/NAME, by the function's name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in values(var.log_groups) : can(regex("^[A-Za-z0-9._/#-]{1,512}$", name))])
    error_message = "Each of log_groups must be a log group's name, such as /aws/lambda/orders."
  }
}

variable "failure_watcher_log_group" {
  description = "The log group of a failure watcher that another module or stack makes, for its lines in the dashboards and the queries; null where there is none, or failure_watcher is set here."
  type        = string
  default     = null

  validation {
    condition     = var.failure_watcher_log_group == null || can(regex("^[A-Za-z0-9._/#-]{1,512}$", var.failure_watcher_log_group))
    error_message = "failure_watcher_log_group must be a log group's name, such as /aws/lambda/lambda-triage-failure-watcher."
  }
}

variable "namespace" {
  description = "The metrics' namespace, as in the functions' TRIAGE_NAMESPACE."
  type        = string
  default     = "LambdaTriage"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._#/-][A-Za-z0-9._#/: -]{0,254}$", var.namespace)) && !startswith(var.namespace, "AWS/")
    error_message = "namespace must have 1 to 255 of the characters A-Z a-z 0-9 . - _ / # : and space, and not begin with a colon, a space or AWS/."
  }
}

variable "problems_per_minute" {
  description = "From how many problems of a kind within a minute on that minute counts."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.problems_per_minute >= 1 && floor(var.problems_per_minute) == var.problems_per_minute
    error_message = "problems_per_minute must be a whole number from 1 on."
  }
}

variable "recursion_depth" {
  description = "From which depth of a chain on the alarm on recursion goes off; not below the functions' TRIAGE_RECURSION_DEPTH."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.recursion_depth >= 2 && floor(var.recursion_depth) == var.recursion_depth
    error_message = "recursion_depth must be a whole number from 2 on."
  }
}

variable "fleet_alarms" {
  description = "Whether to make the alarms on all functions together too: in one place for an account and region."
  type        = bool
  default     = false
  nullable    = false
}

variable "layer_zip" {
  description = "The zip file that deploy/layer/build makes, to publish as a layer; null if it is published already."
  type        = string
  default     = null

  validation {
    condition     = var.layer_zip == null || can(regex("(^|/)lambda-triage-(lean-)?(x86_64|arm64)[.]zip$", var.layer_zip))
    error_message = "layer_zip must be a lambda-triage-x86_64.zip, lambda-triage-arm64.zip or the lean one of these, as deploy/layer/build makes them."
  }
}

variable "put_metric_data_roles" {
  description = "The names of the roles of functions with TRIAGE_METRICS=cloudwatch: they may then put metrics of the namespace, and nothing else. None is needed for the default."
  type        = set(string)
  default     = []
  nullable    = false
}
