"""What is missing to be sure of an answer that API Gateway made itself, and how to get it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from kyumei.model.finding import Gap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import View

EXECUTION = "api_gateway_execution"


def unproven(view: View, row: Mapping[str, Any], kind: str) -> Gap:
    """What would prove a kind that API Gateway's own record names alone."""
    api, stage = row.get("api_id") or "<API_ID>", row.get("stage") or "<STAGE>"
    if kind == "WAF_FILTERED":
        how = "`aws wafv2 get-logging-configuration --resource-arn <WEB_ACL_ARN>` names the destination; copy its files into the folder"
        return Gap("AWS WAF log of the stage's web ACL", "which rule blocked the request", how)
    if kind == "FUNCTION_THROTTLED":
        how = (
            "`aws cloudwatch get-metric-statistics --namespace AWS/Lambda --metric-name Throttles --dimensions "
            "Name=FunctionName,Value=<FUNCTION> --statistics Sum --period 60 --start-time <TIME> --end-time <TIME>` into the folder, under "
            "aws/cloudwatch/, with the function in the file's name; and what the integration is: `aws apigateway get-integration`, "
            "`aws apigatewayv2 get-integrations`"
        )
        return Gap("CloudWatch metric Throttles of the function", "that Lambda throttled the function in those minutes", how)
    if row["table"] == EXECUTION:
        how = f"`aws apigateway get-stage --rest-api-id {api} --stage-name {stage} --query accessLogSettings` names its log group"
        return Gap("API Gateway access log with $context.error.responseType", f"whether it agrees on {kind}", how)
    if row.get("route_key"):
        how = "add $context.integrationErrorMessage, $context.authorizer.error and $context.error.responseType to the stage's log format"
        return Gap("$context.integrationErrorMessage in API Gateway's access log", f"what is behind {kind}", how)
    pattern = shlex.quote(f'"{row.get("request_id") or "<REQUEST_ID>"}"')
    group = f"API-Gateway-Execution-Logs_{api}/{stage}"
    how = f"`aws logs filter-log-events --log-group-name {group} --filter-pattern {pattern}` into the folder; if it is off, turn it on"
    held = " of these very requests" if view.has(EXECUTION) else ""
    return Gap(f"API Gateway execution log{held}", f"whether it agrees on {kind}", how)


def unknown(row: Mapping[str, Any]) -> Gap:
    """What would name the cause where no log does."""
    missing = "$context.error.responseType in API Gateway's access log, or its execution log of the request"
    if row.get("route_key"):
        missing = "$context.error.responseType and $context.integrationErrorMessage in API Gateway's access log"
    how = (
        "add $context.error.responseType, $context.error.message, $context.integrationErrorMessage and $context.integration.status to the "
        "stage's access log format; turn on execution logging at level ERROR (REST)"
    )
    return Gap(missing, f"why API Gateway answered {row.get('status')}, and whether it was its own answer", how)
