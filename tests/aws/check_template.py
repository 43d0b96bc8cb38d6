#!/usr/bin/env python3
"""Checks the template of the AWS stack: SAM's own translation, then cfn-lint on what comes out (on the source both miss circles), then
what the template promises. Every check also gets variants of the template that break it, and must refuse each of them.

    check_template.py [TEMPLATE]      needs aws-sam-translator and cfn-lint; no network, no account
"""
import copy
import fnmatch
import json
import logging
import os
import re
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
from cfnlint.api import lint  # noqa: E402
from samtranslator.model.exceptions import InvalidDocumentException  # noqa: E402
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

logging.disable(logging.CRITICAL)
DEFAULT = Path(__file__).resolve().parents[2] / "lambda-wrappers" / "template.yaml"
ACCOUNT, REGION, STACK, BUCKET = "111122223333", "us-east-1", "fairway", "fairway-check"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/fairway/predictd:1.0.0"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:mine-AbCdEf"
PSEUDO = {
    "AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackId": "stack-id",
}
# What each check looks at: the template as CloudFormation would see it with these parameters, in a stack of this name.
SCENARIOS = {
    "defaults": {},
    "everything": {"Ec2Training": "yes", "ServerEnabled": "yes", "ServerImage": IMAGE, "AlarmEmail": "a@example.org"},
    "frugal": {"NatMode": "ipv6", "DatabaseSecretArn": SECRET, "Architecture": "x86_64", "TrainOnSchedule": "no",
               "TrainOnArrival": "no",
               "TrainerInstanceType": "t3.small", "ServerInstanceType": "t3.micro", "ApiLogRole": "no"},
    "second": {"AWS::StackName": "football", "FunctionPrefix": "football-", "DatabaseEngine": "mariadb",
               "Ec2Training": "yes", "ServerEnabled": "yes", "ServerImage": IMAGE, "ApiLogRole": "no"},
}
# Names as the stack `fairway` has them; another stack's stand behind its prefix.
FUNCTIONS = {"Refresh": "get_new_eventlist_events", "Setup": "get_new_eventlist_events_setup", "Train": "train_model",
             "Predict": "predict", "Ec2Switch": "ec2_switch"}
NOTHING = object()


# What SAM would ask IAM for.
POLICIES = {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in (
    "AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSLambdaSQSQueueExecutionRole")}


def translate(source, parameters):
    """What SAM's macro makes of it."""
    source = copy.deepcopy(source)
    for resource in source["Resources"].values():
        properties = resource.get("Properties", {})
        if isinstance(properties.get("CodeUri"), str):
            # As `aws cloudformation package` leaves it.
            properties["CodeUri"] = "s3://artifacts/" + properties["CodeUri"].rsplit("/", 1)[-1]
    session = type("Session", (), {"region_name": REGION})
    return Translator(POLICIES, Parser(), boto_session=session).translate(source, parameter_values=dict(parameters))


class View:
    """The template with parameters filled in, conditions decided and references to resources as `<Name>` or `<Name.Attribute>`."""

    def __init__(self, source, overrides):
        self.source = source
        self.parameters = {name: str(p["Default"]) for name, p in source["Parameters"].items() if "Default" in p}
        self.parameters["BucketName"] = BUCKET
        self.stack = overrides.get("AWS::StackName", STACK)
        self.parameters.update({name: value for name, value in overrides.items() if "::" not in name})
        self.prefix = self.parameters["FunctionPrefix"]
        template = translate(source, self.parameters)
        self.template = template
        self.needs = {}
        self.at = None
        self.conditions = {name: self.decide(c) for name, c in template.get("Conditions", {}).items()}
        there = {n: r for n, r in template["Resources"].items() if self.conditions.get(r.get("Condition"), True)}
        self.resources = {}
        for name, resource in there.items():
            self.at, self.needs[name] = name, set()
            depends = resource.get("DependsOn", [])
            self.needs[name] |= {depends} if isinstance(depends, str) else set(depends)
            self.resources[name] = {**resource, "Properties": self.fill(resource.get("Properties", {}))}
        self.at = None
        self.outputs = {}
        for name, output in template.get("Outputs", {}).items():
            if self.conditions.get(output.get("Condition"), True):
                self.at, self.needs["output " + name] = "output " + name, set()
                self.outputs[name] = self.fill(output["Value"])

    def decide(self, condition):
        (kind, value), = condition.items()
        if kind == "Condition":
            return self.decide(self.template["Conditions"][value])
        if kind == "Fn::Equals":
            return self.fill(value[0]) == self.fill(value[1])
        if kind == "Fn::Not":
            return not self.decide(value[0])
        if kind in ("Fn::And", "Fn::Or"):
            return (all if kind == "Fn::And" else any)([self.decide(one) for one in value])
        if kind == "Fn::Contains":
            return self.fill(value[1]) in self.fill(value[0])
        raise ValueError(f"condition {kind}")

    def name(self, name, attribute=None):
        if attribute is None and name == "AWS::StackName":
            return self.stack
        if attribute is None and name in PSEUDO:
            return PSEUDO[name]
        if attribute is None and name in self.parameters:
            return self.parameters[name]
        if self.at:
            self.needs[self.at].add(name)
        resource = self.template["Resources"].get(name, {})
        if attribute == "Arn" and resource.get("Type") == "AWS::Lambda::Function":
            return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.fill(resource['Properties'].get('FunctionName'))}"
        return f"<{name}.{attribute}>" if attribute else f"<{name}>"

    def fill(self, value):
        if isinstance(value, list):
            return [v for v in map(self.fill, value) if v is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) != 1 or not (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::")):
            filled = {k: self.fill(v) for k, v in value.items()}
            return {k: v for k, v in filled.items() if v is not NOTHING}
        (kind, v), = value.items()
        if kind == "Ref":
            return NOTHING if v == "AWS::NoValue" else self.name(v)
        if kind == "Fn::GetAtt":
            name, attribute = v.split(".", 1) if isinstance(v, str) else v
            return self.name(name, attribute)
        if kind == "Fn::If":
            return self.fill(v[1] if self.conditions[v[0]] else v[2])
        if kind == "Fn::Sub":
            text, own = (v, {}) if isinstance(v, str) else (v[0], {k: self.fill(x) for k, x in v[1].items()})
            return re.sub(r"\$\{([^!}]+)\}", lambda m: str(own.get(m[1]) or self.name(*m[1].split(".", 1))), text)
        if kind == "Fn::Join":
            return v[0].join(map(str, self.fill(v[1])))
        if kind == "Fn::Base64":
            return self.fill(v)
        return {kind: self.fill(v)}

    def of(self, kind):
        return {name: r["Properties"] for name, r in self.resources.items() if r["Type"] == kind}

    def role(self, name):
        policies = self.resources.get(name, {}).get("Properties", {}).get("Policies", [])
        return [s for p in policies for s in p["PolicyDocument"]["Statement"]]

    def text(self):
        return json.dumps([self.resources, self.outputs])

    def ours(self, value):
        """What is said of the stack `fairway`, said of this one."""
        if isinstance(value, dict):
            return {key: self.ours(one) for key, one in value.items()}
        return self.stack if value == STACK else value.replace(":function:", f":function:{self.prefix}")


def many(value):
    return value if isinstance(value, list) else [value]


def holds(condition, context):
    """Whether a statement's Condition holds; what it does not know it does not believe."""
    for operator, pairs in condition.items():
        if_exists = operator.endswith("IfExists")
        for key, wanted in pairs.items():
            if key not in context:
                if if_exists:
                    continue
                return False
            if not any(fnmatch.fnmatchcase(context[key], str(one)) for one in many(wanted)):
                return False
    return True


def allowed(statements, action, resource, context):
    def hits(statement):
        return (any(fnmatch.fnmatchcase(action, a) for a in many(statement["Action"]))
                and any(fnmatch.fnmatchcase(resource, r) for r in many(statement["Resource"]))
                and holds(statement.get("Condition", {}), context))
    if any(s["Effect"] == "Deny" and hits(s) for s in statements):
        return False
    return any(s["Effect"] == "Allow" and hits(s) for s in statements)


CHECKS = []


def check(title, *broken):
    """A check returns what is wrong; `broken` are (words, how to break the source, the scenario that shows it)."""
    def add(function):
        CHECKS.append((title, function, broken))
        return function
    return add


def at(source, path):
    """The value at `Resource/Properties/…`; numbers are places in a list."""
    value = source["Resources"]
    for step in path.split("/"):
        value = value[int(step) if isinstance(value, list) else step]
    return value


def put(path, new):
    def change(source):
        folder, _, last = path.rpartition("/")
        holder = at(source, folder) if folder else source["Resources"]
        holder[int(last) if isinstance(holder, list) else last] = new
    return change


def drop(path):
    def change(source):
        folder, _, last = path.rpartition("/")
        holder = at(source, folder) if folder else source["Resources"]
        del holder[int(last) if isinstance(holder, list) else last]
    return change


def statements_of(source, role):
    return at(source, f"{role}/Properties/Policies/0/PolicyDocument/Statement")


def without(role, sid):
    def change(source):
        statements = statements_of(source, role)
        statements[:] = [s for s in statements if s["Sid"] != sid]
    return change


def with_statement(role, action, resource):
    def change(source):
        statements_of(source, role).append({"Sid": "Extra", "Effect": "Allow", "Action": action, "Resource": resource})
    return change


def changed(role, sid, key, value):
    def change(source):
        for statement in statements_of(source, role):
            if statement["Sid"] == sid:
                statement[key] = value
    return change


def parameter(name, key, value):
    def change(source):
        source["Parameters"][name][key] = value
    return change


# ---- References

@check("every reference leads to a resource that exists with these parameters",
       ("a reference to a resource of another condition", put("Bucket/DependsOn", ["TrainingQueuePolicy", "Ec2QueuePolicy"]), "defaults"),
       ("an output of an instance that may not be there", lambda s: s["Outputs"]["ServerUrl"].pop("Condition"), "defaults"))
def references(view):
    return [f"{name} needs {target}, which is not there" for name, targets in view.needs.items()
            for target in targets if target not in view.resources]


def bucket_in_its_queue_policy(source):
    statement = at(source, "TrainingQueuePolicy/Properties/PolicyDocument/Statement/0")
    statement["Condition"]["ArnEquals"]["aws:SourceArn"] = {"Fn::GetAtt": ["Bucket", "Arn"]}


def bucket_calls_function(source):
    at(source, "Train/Properties/Events")["Upload"] = {
        "Type": "S3", "Properties": {"Bucket": {"Ref": "Bucket"}, "Events": "s3:ObjectCreated:*"}}
    with_statement("TrainRole", "s3:GetObject", {"Fn::Sub": "${Bucket.Arn}/training_data/*"})(source)


@check("no resource waits for itself",
       ("the queue's policy asks the bucket for its name", bucket_in_its_queue_policy, "defaults"),
       ("the bucket calls a function whose role names the bucket", bucket_calls_function, "defaults"),
       ("a function's role asks the function for its name",
        with_statement("RefreshRole", "lambda:InvokeFunction", {"Fn::GetAtt": ["Refresh", "Arn"]}), "defaults"))
def circles(view):
    done, path = set(), []

    def walk(name):
        if name in path:
            return [" -> ".join(path[path.index(name):] + [name])]
        if name in done or name not in view.resources:
            return []
        path.append(name)
        found = [circle for target in sorted(view.needs[name]) for circle in walk(target)]
        path.pop()
        done.add(name)
        return found
    return [circle for name in view.resources for circle in walk(name)]


# ---- Who may do what

B = f"arn:aws:s3:::{BUCKET}"
REFRESH_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:get_new_eventlist_events"
SETUP_ARN = REFRESH_ARN + "_setup"
MASTER, USER = "<Database.MasterUserSecret.SecretArn>", "<DatabaseUserSecret>"
INSTANCE = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"
OURS = {"aws:ResourceTag/fairway:trainer": STACK, "ssm:resourceTag/fairway:trainer": STACK}
# A second listing without a prefix is what S3 asks for before it says 404 of an object.
MUST = {
    "RefreshRole": [
        ("logs:CreateLogStream", "<RefreshLogs.Arn>"), ("logs:PutLogEvents", "<RefreshLogs.Arn>"),
        ("secretsmanager:GetSecretValue", "<DataGolfSecret>"), ("secretsmanager:GetSecretValue", "DATABASE"),
        ("lambda:InvokeFunction", REFRESH_ARN), ("sqs:SendMessage", "<InvocationDeadLetters.Arn>"),
        ("s3:GetObject", B + "/training_data/a.csv"), ("s3:PutObject", B + "/training_data/a.csv"),
        ("s3:GetObject", B + "/exports/golf/golf.json"), ("s3:PutObject", B + "/exports/golf/golf.json"),
        ("s3:ListBucket", B, {"s3:prefix": "training_data/"}), ("s3:ListBucket", B),
        ("ec2:CreateNetworkInterface", "*"), ("ec2:DescribeNetworkInterfaces", "*"), ("ec2:DeleteNetworkInterface", "*")],
    "SetupRole": [
        ("logs:CreateLogStream", "<SetupLogs.Arn>"), ("logs:PutLogEvents", "<SetupLogs.Arn>"),
        ("secretsmanager:GetSecretValue", MASTER), ("secretsmanager:GetSecretValue", USER),
        ("ec2:CreateNetworkInterface", "*"), ("ec2:DescribeNetworkInterfaces", "*"),
        ("ec2:DeleteNetworkInterface", "*")],
    "TrainRole": [
        ("logs:PutLogEvents", "<TrainLogs.Arn>"), ("sqs:ReceiveMessage", "<TrainingQueue.Arn>"),
        ("sqs:DeleteMessage", "<TrainingQueue.Arn>"), ("sqs:GetQueueAttributes", "<TrainingQueue.Arn>"),
        ("sqs:SendMessage", "<InvocationDeadLetters.Arn>"), ("s3:GetObject", B + "/training_data/a.csv"),
        ("s3:GetObject", B + "/models/latest_model.json"), ("s3:PutObject", B + "/models/latest_model.json"),
        ("s3:ListBucket", B, {"s3:prefix": "training_data/"}), ("s3:ListBucket", B, {"s3:prefix": "models/"}), ("s3:ListBucket", B)],
    "PredictRole": [
        ("logs:PutLogEvents", "<PredictLogs.Arn>"), ("s3:GetObject", B + "/models/latest_model.json"), ("s3:ListBucket", B)],
    "Ec2SwitchRole": [
        ("logs:PutLogEvents", "<Ec2SwitchLogs.Arn>"), ("ec2:DescribeInstances", "*"), ("ec2:StartInstances", INSTANCE, OURS),
        ("ec2:StopInstances", INSTANCE, OURS), ("ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript"),
        ("ssm:SendCommand", INSTANCE, OURS), ("ssm:ListCommands", "*"),
        ("sqs:ReceiveMessage", "<Ec2Queue.Arn>"), ("sqs:DeleteMessage", "<Ec2Queue.Arn>"),
        ("sqs:GetQueueAttributes", "<Ec2Queue.Arn>"), ("sqs:ReceiveMessage", "<Ec2ResultQueue.Arn>"),
        ("sqs:DeleteMessage", "<Ec2ResultQueue.Arn>")],
    "TrainerRole": [
        ("s3:GetObject", B + "/bundles/train_model.zip"), ("s3:GetObject", B + "/training_data/a.csv"),
        ("s3:GetObject", B + "/models/latest_model.json"), ("s3:PutObject", B + "/models/latest_model.json"),
        ("s3:PutObject", B + "/output/1/result.json"), ("s3:ListBucket", B, {"s3:prefix": "training_data/"})],
    "ServerRole": [
        ("s3:GetObject", B + "/models/latest_model.json"), ("s3:ListBucket", B), ("ecr:GetAuthorizationToken", "*"),
        ("ecr:BatchGetImage", "<Repository.Arn>"), ("ecr:GetDownloadUrlForLayer", "<Repository.Arn>"),
        ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "Fairway"})],
    "ScheduleRole": [("lambda:InvokeFunction", REFRESH_ARN), ("sqs:SendMessage", "<InvocationDeadLetters.Arn>")],
}
MUST_NOT = {
    "RefreshRole": [("s3:PutObject", B + "/models/latest_model.json"), ("s3:DeleteObject", B + "/training_data/a.csv"), ("s3:ListBucket", B, {"s3:prefix": "models/"}),
                    ("secretsmanager:GetSecretValue", "other"), ("lambda:InvokeFunction", REFRESH_ARN + "2"),
                    ("lambda:InvokeFunction", SETUP_ARN),
                    ("ec2:CreateNetworkInterface", "*", {"lambda:SourceFunctionArn": REFRESH_ARN})],
    "SetupRole": [("secretsmanager:GetSecretValue", "<DataGolfSecret>"), ("secretsmanager:PutSecretValue", USER),
                  ("s3:PutObject", B + "/training_data/a.csv"), ("s3:GetObject", B + "/training_data/a.csv"),
                  ("lambda:InvokeFunction", REFRESH_ARN),
                  ("ec2:CreateNetworkInterface", "*", {"lambda:SourceFunctionArn": SETUP_ARN})],
    "TrainRole": [("s3:PutObject", B + "/training_data/a.csv"), ("s3:PutObject", B + "/exports/golf/golf.json"), ("s3:PutObject", B + "/input/a"),
                  ("s3:DeleteObject", B + "/models/latest_model.json"), ("secretsmanager:GetSecretValue", "<DataGolfSecret>")],
    "PredictRole": [("s3:PutObject", B + "/models/latest_model.json"), ("s3:GetObject", B + "/training_data/a.csv"),
                    ("secretsmanager:GetSecretValue", "<DataGolfSecret>")],
    "Ec2SwitchRole": [("ec2:StartInstances", INSTANCE), ("ec2:StopInstances", INSTANCE), ("ssm:SendCommand", INSTANCE),
                      ("ec2:TerminateInstances", INSTANCE, OURS), ("s3:PutObject", B + "/output/1/result.json"),
                      ("ssm:CancelCommand", "*")],
    "TrainerRole": [("s3:GetObject", B + "/input/x"), ("s3:PutObject", B + "/input/x"), ("s3:PutObject", B + "/bundles/x"), ("s3:PutObject", B + "/training_data/a.csv")],
    "ServerRole": [("s3:PutObject", B + "/models/latest_model.json"), ("s3:GetObject", B + "/training_data/a.csv"),
                   ("cloudwatch:PutMetricData", "*"), ("ecr:PutImage", "<Repository.Arn>")],
    "ScheduleRole": [("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:predict"),
                     ("lambda:InvokeFunction", SETUP_ARN)],
}


def strict_listing(role):
    def change(source):
        for statement in statements_of(source, role):
            if statement["Sid"] == "Listing":
                statement["Condition"] = {"StringLike": statement["Condition"].pop("StringLikeIfExists")}
    return change


@check("each role may do what its program does",
       *[(f"{role} without {sid}", without(role, sid), "everything") for role, sid in [
           ("RefreshRole", "Secrets"), ("RefreshRole", "GoesOnByItself"), ("RefreshRole", "TrainingData"), ("RefreshRole", "Vpc"),
           ("SetupRole", "Secrets"), ("SetupRole", "Vpc"), ("SetupRole", "Logs"),
           ("TrainRole", "Queue"), ("TrainRole", "Models"), ("TrainRole", "Logs"), ("PredictRole", "Models"), ("Ec2SwitchRole", "Switch"),
           ("Ec2SwitchRole", "CommandInstance"), ("TrainerRole", "Writes"), ("ServerRole", "Image"), ("ScheduleRole", "Start")]],
       ("a missing model answered with 403", strict_listing("PredictRole"), "defaults"),
       ("a second stack's refresh that cannot start itself",
        changed("RefreshRole", "GoesOnByItself", "Resource", REFRESH_ARN), "second"))
def permissions(view):
    database = SECRET if view.parameters["DatabaseSecretArn"] else USER
    wrong = []
    for role, needs in MUST.items():
        for action, resource, *context in needs if role in view.resources else []:
            resource = database if resource == "DATABASE" else view.ours(resource)
            if not allowed(view.role(role), action, resource, *(map(view.ours, context) if context else [{}])):
                wrong.append(f"{role} may not {action} on {resource} {context or ''}")
    return wrong


@check("no role may do what its program must not",
       ("predict may read training data", with_statement("PredictRole", "s3:GetObject", B + "/*"), "defaults"),
       ("train_model may write training data", with_statement("TrainRole", "s3:PutObject", B + "/training_data/*"), "defaults"),
       ("ec2_switch may stop any instance", with_statement("Ec2SwitchRole", "ec2:StopInstances", "*"), "everything"),
       ("the function's code may use the VPC's calls", without("RefreshRole", "VpcNotByTheCode"), "defaults"),
       ("so may the setup's", without("SetupRole", "VpcNotByTheCode"), "defaults"),
       ("the refresh starts the setup", with_statement("RefreshRole", "lambda:InvokeFunction", SETUP_ARN), "defaults"),
       ("the setup writes training data",
        with_statement("SetupRole", "s3:PutObject", B + "/training_data/*"), "defaults"),
       ("the setup changes the user's secret",
        with_statement("SetupRole", "secretsmanager:PutSecretValue", {"Ref": "DatabaseUserSecret"}), "defaults"),
       ("the server may write any metric", with_statement("ServerRole", "cloudwatch:PutMetricData", "*"), "everything"),
       ("a second stack starts the first one's refresh",
        with_statement("RefreshRole", "lambda:InvokeFunction", REFRESH_ARN), "second"),
       ("a second stack stops the first one's instance", changed("Ec2SwitchRole", "Switch", "Condition", {
           "StringEquals": {"aws:ResourceTag/fairway:trainer": STACK}}), "second"))
def prohibitions(view):
    wrong = [f"{role} may {action} on {resource}" for role, forbidden in MUST_NOT.items() if role in view.resources
             for action, resource, *context in forbidden
             if allowed(view.role(role), action, view.ours(resource), *(map(view.ours, context) if context else [{}]))]
    if view.stack != STACK:
        wrong += [f"{role} may start the first stack's refresh" for role in ("RefreshRole", "ScheduleRole")
                  if allowed(view.role(role), "lambda:InvokeFunction", REFRESH_ARN, {})]
        wrong += [f"{role} may {action} the first stack's instance" for role, action in [
            ("Ec2SwitchRole", "ec2:StopInstances"), ("Ec2SwitchRole", "ssm:SendCommand")]
            if allowed(view.role(role), action, INSTANCE, OURS)]
    return wrong


def refresh_reads_the_master(source):
    changed("RefreshRole", "Secrets", "Resource", [
        {"Ref": "DataGolfSecret"}, {"Fn::If": ["MakesDatabase", {"Fn::GetAtt": "Database.MasterUserSecret.SecretArn"},
                                               {"Ref": "DatabaseSecretArn"}]}])(source)


ENDPOINT = "SecretsEndpoint/Properties/PolicyDocument/Statement"
OF_THE_MASTER = ENDPOINT + "/1/Fn::If/1"
GENERATED = "DatabaseUserSecret/Properties/GenerateSecretString/"


def endpoint_for_the_master(source):
    at(source, ENDPOINT + "/0/Resource").append({"Fn::GetAtt": "Database.MasterUserSecret.SecretArn"})


@check("the master's secret is read by the setup's role alone, and by nobody where the database is one's own",
       ("the refresh's role, too", refresh_reads_the_master, "defaults"),
       ("the training's", with_statement("TrainRole", "secretsmanager:GetSecretValue",
                                         {"Fn::GetAtt": "Database.MasterUserSecret.SecretArn"}), "defaults"),
       ("any secret of RDS", with_statement("RefreshRole", "secretsmanager:GetSecretValue", "<Database.*"), "defaults"),
       ("the refresh's variable names it", put("Refresh/Properties/Environment/Variables/FAIRWAY_DB_SECRET",
                                               {"Fn::GetAtt": "Database.MasterUserSecret.SecretArn"}), "defaults"),
       ("another function has the role", put("Refresh/Properties/Role", {"Fn::GetAtt": "SetupRole.Arn"}), "defaults"),
       ("the endpoint lets everybody ask for it", endpoint_for_the_master, "defaults"),
       ("the endpoint's condition is gone", drop(OF_THE_MASTER + "/Condition"), "second"),
       ("the endpoint lets the refresh ask for it", put(OF_THE_MASTER + "/Condition/ArnEquals/aws:PrincipalArn",
                                                        {"Fn::GetAtt": "RefreshRole.Arn"}), "defaults"),
       ("the endpoint lets nobody ask for it", lambda s: at(s, ENDPOINT).pop(1), "defaults"),
       ("the endpoint knows no user's secret", lambda s: at(s, ENDPOINT + "/0/Resource").pop(1), "defaults"),
       ("the user has no secret", lambda s: (drop("DatabaseUserSecret")(s), s["Outputs"].pop("DatabaseUserSecretArn")),
        "defaults"),
       ("a password of our choice", lambda s: (
           at(s, "DatabaseUserSecret/Properties").pop("GenerateSecretString"),
           put("DatabaseUserSecret/Properties/SecretString", '{"username": "fairway_load", "password": "x"}')(s)),
        "defaults"),
       ("a password with quotes", drop(GENERATED + "ExcludePunctuation"), "defaults"),
       ("a short password", put(GENERATED + "PasswordLength", 12), "defaults"),
       ("the master as the user", put(GENERATED + "SecretStringTemplate", '{"username": "fairway"}'), "defaults"),
       ("a setup of a database of one's own", lambda s: [at(s, name).pop("Condition") for name in (
           "Setup", "SetupRole", "SetupLogs", "DatabaseUserSecret")], "frugal"),
       ("a user's secret that nobody uses", lambda s: at(s, "DatabaseUserSecret").pop("Condition"), "frugal"))
def master(view):
    own, get = view.conditions["MakesDatabase"], "secretsmanager:GetSecretValue"
    parts = {"Setup", "SetupRole", "SetupLogs", "DatabaseUserSecret"}
    there = "missing" if own else "there"
    wrong = [f"{name} is {there}" for name in sorted(parts) if (name in view.resources) is not own]
    readers = {name for name in view.of("AWS::IAM::Role") if allowed(view.role(name), get, MASTER, {})}
    wrong += [f"{name} may read the master's secret" for name in sorted(readers - {"SetupRole"})]
    for name, p in view.of("AWS::Lambda::Function").items():
        if name != "Setup" and ("SetupRole" in str(p["Role"]) or MASTER in json.dumps(p)):
            wrong.append(f"{name} has the setup's role, or knows the master's secret")
    # The network's side of it: whose request passes the endpoint.
    policy = view.resources["SecretsEndpoint"]["Properties"]["PolicyDocument"]["Statement"]
    roles = {name: {"aws:PrincipalArn": f"<{name}.Arn>"} for name in ("RefreshRole", "SetupRole", "TrainRole")}
    for name, context in roles.items():
        if allowed(policy, get, MASTER, context) is not (own and name == "SetupRole"):
            wrong.append(f"the endpoint is wrong about {name} and the master's secret")
    for secret in ("<DataGolfSecret>", USER if own else SECRET):
        if not allowed(policy, get, secret, roles["RefreshRole"]):
            wrong.append(f"the endpoint keeps {secret} from the refresh")
    if allowed(policy, get, "other", roles["SetupRole"]):
        wrong.append("the endpoint lets every secret pass")
    if own and "DatabaseUserSecret" in view.resources:
        made = view.resources["DatabaseUserSecret"]["Properties"].get("GenerateSecretString", {})
        user = json.loads(made.get("SecretStringTemplate", "{}"))
        master_user = view.resources["Database"]["Properties"]["MasterUsername"]
        if made.get("ExcludePunctuation") is not True or made.get("IncludeSpace") is not False:
            wrong.append("the user's password has characters that need quotes")
        if made.get("PasswordLength", 0) < 32 or made.get("GenerateStringKey") != "password":
            wrong.append("the user's password is short, or is not called so")
        if user != {"username": "fairway_load"} or user["username"] == master_user:
            wrong.append(f"the user is {user}")
    return wrong


# Calls that know no narrower resource.
ANYWHERE = {
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses", "ec2:DescribeInstances",
    "ssm:ListCommands", "ecr:GetAuthorizationToken", "cloudwatch:PutMetricData",
}
MANAGED = {"AmazonSSMManagedInstanceCore", "AmazonAPIGatewayPushToCloudWatchLogs"}


@check("nothing is allowed by a wildcard",
       ("s3:*", with_statement("TrainRole", "s3:*", B + "/models/*"), "defaults"),
       ("any secret", with_statement("RefreshRole", "secretsmanager:GetSecretValue", "*"), "defaults"),
       ("the whole bucket", with_statement("TrainRole", "s3:GetObject", B + "/*"), "defaults"),
       ("an administrator", put("PredictRole/Properties/ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]), "defaults"),
       ("a role that SAM makes", put("More", {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "more.zip"}}), "defaults"),
       ("anybody's role", put("TrainRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal", "*"), "defaults"))
def wildcards(view):
    wrong = []
    for name, role in view.of("AWS::IAM::Role").items():
        for arn in role.get("ManagedPolicyArns", []):
            if arn.rsplit("/", 1)[-1] not in MANAGED:
                wrong.append(f"{name} has the managed policy {arn}")
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            if not isinstance(statement["Principal"], dict) or set(statement["Principal"]) != {"Service"}:
                wrong.append(f"{name} can be taken by {statement['Principal']}")
        for statement in view.role(name):
            if statement["Effect"] != "Allow":
                continue
            actions, resources = many(statement["Action"]), many(statement["Resource"])
            wrong += [f"{name} allows {action}" for action in actions if "*" in action]
            if any(r == "*" or r in (B + "/*", "arn:aws:s3:::*") for r in resources):
                wrong += [f"{name} allows {action} on {resources}" for action in actions if action not in ANYWHERE]
    return wrong


# ---- The bucket and its notifications

@check("the bucket is private, encrypted, versioned, tidied, reached by TLS only, and stays",
       ("public access not blocked", drop("Bucket/Properties/PublicAccessBlockConfiguration"), "defaults"),
       ("public policies allowed", put("Bucket/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy", False), "defaults"),
       ("no encryption", drop("Bucket/Properties/BucketEncryption"), "defaults"),
       ("no versions", put("Bucket/Properties/VersioningConfiguration/Status", "Suspended"), "defaults"),
       ("old versions kept for ever", drop("Bucket/Properties/LifecycleConfiguration/Rules/0/NoncurrentVersionExpiration"), "defaults"),
       ("goes with the stack", put("Bucket/DeletionPolicy", "Delete"), "defaults"),
       ("plain HTTP", drop("BucketPolicy"), "defaults"),
       ("anybody may read", lambda s: at(s, "BucketPolicy/Properties/PolicyDocument/Statement").append(
           {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": B + "/*"}), "defaults"))
def bucket(view):
    resource, wrong = view.resources["Bucket"], []
    p = resource["Properties"]
    block = p.get("PublicAccessBlockConfiguration", {})
    for key in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"):
        if block.get(key) is not True:
            wrong.append(f"{key} is not set")
    if not p.get("BucketEncryption"):
        wrong.append("no encryption")
    if p.get("VersioningConfiguration", {}).get("Status") != "Enabled":
        wrong.append("no versions")
    rules = p.get("LifecycleConfiguration", {}).get("Rules", [])
    for key in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if not any(r.get(key) and r.get("Status") == "Enabled" for r in rules):
            wrong.append(f"no rule {key}")
    if any("ExpirationInDays" in r for r in rules):
        wrong.append("current objects expire")
    if not str(resource.get("DeletionPolicy")).startswith("Retain") or resource.get("UpdateReplacePolicy") != "Retain":
        wrong.append("it does not stay")
    statements = [s for b in view.of("AWS::S3::BucketPolicy").values() for s in b["PolicyDocument"]["Statement"]]
    if not any(s["Effect"] == "Deny" and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}} for s in statements):
        wrong.append("plain HTTP is not denied")
    if any(s["Effect"] == "Allow" for s in statements):
        wrong.append("its policy allows somebody something")
    return wrong


@check("uploads reach the queues that they are for, and no writer starts itself",
       ("training on everything", drop("Bucket/Properties/NotificationConfiguration/QueueConfigurations/0/Filter"), "defaults"),
       ("training on models", put("Bucket/Properties/NotificationConfiguration/QueueConfigurations/0/Filter/S3Key/Rules/0/Value", "models/"), "defaults"),
       ("results do not stop the instance", drop("Bucket/Properties/NotificationConfiguration/QueueConfigurations/2"), "everything"),
       ("notified before the policy stands", drop("Bucket/DependsOn"), "defaults"),
       ("the same for the second queue", drop("Bucket/Properties/Tags"), "everything"))
def notifications(view):
    got = {}
    for one in view.resources["Bucket"]["Properties"].get("NotificationConfiguration", {}).get("QueueConfigurations", []):
        rules = one.get("Filter", {}).get("S3Key", {}).get("Rules", [])
        got[one["Queue"]] = {r["Name"]: r["Value"] for r in rules}
    wanted = {"<TrainingQueue.Arn>": {"prefix": "training_data/", "suffix": ".csv"}}
    policies = {"TrainingQueuePolicy"}
    if view.conditions["TrainsOnEc2"]:
        wanted["<Ec2Queue.Arn>"] = {"prefix": "input/"}
        wanted["<Ec2ResultQueue.Arn>"] = {"prefix": "output/", "suffix": "result.json"}
        policies |= {"Ec2QueuePolicy", "Ec2ResultQueuePolicy"}
    wrong = [] if got == wanted else [f"{got} instead of {wanted}"]
    wrong += [f"the bucket does not wait for {p}" for p in sorted(policies - view.needs["Bucket"])]
    return wrong


# ---- Queues

@check("each queue that starts a function gives it time, and gives up into another one",
       ("no dead letters", drop("TrainingQueue/Properties/RedrivePolicy"), "defaults"),
       ("five times the function's time", put("TrainingQueue/Properties/VisibilityTimeout", 4500), "defaults"),
       ("the batch window forgotten", put("TrainingQueue/Properties/VisibilityTimeout", 5400), "defaults"),
       ("a longer function", put("Ec2Switch/Properties/Timeout", 61), "everything"),
       ("dead letters kept four days", put("TrainingDeadLetters/Properties/MessageRetentionPeriod", 345600), "defaults"),
       ("not encrypted", put("TrainingQueue/Properties/SqsManagedSseEnabled", False), "defaults"),
       ("given up after one try", put("Ec2Queue/Properties/RedrivePolicy/maxReceiveCount", 1), "everything"),
       ("a training for each CSV", drop("Train/Properties/Events/NewData/Properties/MaximumBatchingWindowInSeconds"), "defaults"),
       ("training although nobody wants it", drop("Train/Properties/Events/NewData/Properties/Enabled"), "frugal"),
       ("any number of trainings at once", drop("Train/Properties/Events/NewData/Properties/ScalingConfig"), "defaults"))
def queues(view):
    wrong, functions, all_queues = [], view.of("AWS::Lambda::Function"), view.of("AWS::SQS::Queue")
    wrong += [f"{name} is not encrypted" for name, q in all_queues.items() if q.get("SqsManagedSseEnabled") is not True]
    for name, mapping in view.of("AWS::Lambda::EventSourceMapping").items():
        queue = mapping["EventSourceArn"].strip("<>").split(".")[0]
        function, q = functions[mapping["FunctionName"].strip("<>")], all_queues[queue]
        least = 6 * function["Timeout"] + mapping.get("MaximumBatchingWindowInSeconds", 0)
        if q.get("VisibilityTimeout", 30) < least:
            wrong.append(f"{queue} shows a message again after {q.get('VisibilityTimeout', 30)} s, less than {least}")
        redrive = q.get("RedrivePolicy", {})
        dead = redrive.get("deadLetterTargetArn", "").strip("<>").split(".")[0]
        if dead not in all_queues:
            wrong.append(f"{queue} has no dead-letter queue")
        elif all_queues[dead].get("MessageRetentionPeriod", 345600) <= q.get("MessageRetentionPeriod", 345600):
            wrong.append(f"{dead} keeps messages no longer than {queue}")
        if redrive and redrive["maxReceiveCount"] < 5:
            wrong.append(f"{queue} gives up after {redrive['maxReceiveCount']} tries")
        if queue == "TrainingQueue" and (mapping.get("MaximumBatchingWindowInSeconds") != 300 or mapping.get("BatchSize") != 10000
                                         or mapping.get("ScalingConfig") != {"MaximumConcurrency": 2}):
            wrong.append(f"{name}: a backfill would train too often")
        is_wanted = queue != "TrainingQueue" or view.conditions["TrainsOnArrival"]
        if mapping.get("Enabled", True) is not is_wanted:
            wrong.append(f"{name} is {'off' if is_wanted else 'on'}")
        if queue != "TrainingQueue" and mapping.get("BatchSize") != 1:
            wrong.append(f"{name}: not one piece of work at a time")
    return wrong


@check("only this bucket of this account may write to the queues",
       ("any bucket", drop("TrainingQueuePolicy/Properties/PolicyDocument/Statement/0/Condition/ArnEquals"), "defaults"),
       ("any account's bucket", drop("TrainingQueuePolicy/Properties/PolicyDocument/Statement/0/Condition/StringEquals"), "defaults"),
       ("anybody", put("Ec2QueuePolicy/Properties/PolicyDocument/Statement/0/Principal", "*"), "everything"),
       ("no policy at all", lambda s: (drop("TrainingQueuePolicy")(s), drop("Bucket/DependsOn")(s)), "defaults"))
def queue_policies(view):
    wrong, served = [], set()
    for name, policy in view.of("AWS::SQS::QueuePolicy").items():
        for s in policy["PolicyDocument"]["Statement"]:
            condition = {k: v for pairs in s.get("Condition", {}).values() for k, v in pairs.items()}
            if (s["Principal"] != {"Service": "s3.amazonaws.com"} or s["Action"] != "sqs:SendMessage"
                    or condition.get("aws:SourceArn") != B or condition.get("aws:SourceAccount") != ACCOUNT):
                wrong.append(f"{name} lets others in: {s}")
            served.add(s["Resource"])
    notified = [q["Queue"] for q in view.resources["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]]
    return wrong + [f"the bucket may not write to {q}" for q in notified if q not in served]


# ---- Functions

SIZES = {"get_new_eventlist_events": (900, 512), "get_new_eventlist_events_setup": (900, 512),
         "train_model": (900, 1769), "predict": (10, 512), "ec2_switch": (60, 128)}


# What an account can have only once, be it once a region. Resources without a name get one of their own.
NAMES_OF_THE_ACCOUNT = {
    "AWS::Lambda::Function FunctionName", "AWS::Logs::LogGroup LogGroupName", "AWS::ECR::Repository RepositoryName",
    "AWS::CloudWatch::Alarm AlarmName", "AWS::IAM::Role RoleName", "AWS::IAM::InstanceProfile InstanceProfileName",
    "AWS::SQS::Queue QueueName", "AWS::SNS::Topic TopicName", "AWS::Scheduler::Schedule Name",
    "AWS::SecretsManager::Secret Name", "AWS::RDS::DBInstance DBInstanceIdentifier",
    "AWS::RDS::DBParameterGroup DBParameterGroupName",
    "AWS::RDS::DBSubnetGroup DBSubnetGroupName", "AWS::EC2::LaunchTemplate LaunchTemplateName",
    "AWS::EC2::SecurityGroup GroupName", "AWS::ApiGateway::RestApi Name", "AWS::ApiGateway::ApiKey Name",
    "AWS::ApiGateway::UsagePlan UsagePlanName",
}


@check("the stack fairway's functions have the names of the guide, and another stack has no name in common with it",
       ("another name", put("Train/Properties/FunctionName", "train"), "defaults"),
       ("a prefix for the first stack", parameter("FunctionPrefix", "Default", "fairway-"), "defaults"),
       ("a name that the first stack has", put("Train/Properties/FunctionName", "train_model"), "second"),
       ("its log", put("TrainLogs/Properties/LogGroupName", "/aws/lambda/train_model"), "second"),
       ("its API's log", put("ApiLogs/Properties/LogGroupName", "/aws/apigateway/fairway-predict"), "second"),
       ("its API", put("PredictApi/Properties/Name", "fairway"), "second"),
       ("its repository", put("Repository/Properties/RepositoryName", "fairway/predictd"), "second"),
       ("an alarm that is given a name", put("TrainErrors/Properties/AlarmName", "train_errors"), "second"),
       ("a role that is given a name", put("TrainRole/Properties/RoleName", "train"), "second"),
       ("a queue that is given a name", put("TrainingQueue/Properties/QueueName", "training"), "second"),
       ("a schedule that is given a name", put("TrainSchedule/Properties/Name", "training"), "second"))
def names(view):
    wrong = []
    for name, p in view.of("AWS::Lambda::Function").items():
        if p.get("FunctionName") != view.prefix + FUNCTIONS.get(name, "?"):
            wrong.append(f"{name} is called {p.get('FunctionName')}")
    if view.stack == STACK:
        return wrong + ([f"its functions begin with {view.prefix}"] if view.prefix else [])
    for name, resource in view.resources.items():
        for key, value in resource["Properties"].items():
            is_free = resource["Type"] + " " + key not in NAMES_OF_THE_ACCOUNT or value.startswith("<")
            if not is_free and view.stack not in value:
                wrong.append(f"{name} is called {value}, and so is the first stack's")
    return wrong


VARIABLES = "{}/Properties/Environment/Variables/"


@check("the functions are what the guide says",
       ("another runtime", lambda s: s["Globals"]["Function"].update(Runtime="provided.al2"), "defaults"),
       ("one processor for all", lambda s: s["Globals"]["Function"].update(Architectures=["arm64"]), "frugal"),
       ("train_model in the VPC", put("Train/Properties/VpcConfig", {"SubnetIds": ["a"], "SecurityGroupIds": ["b"]}), "defaults"),
       ("the refresh outside of it", drop("Refresh/Properties/VpcConfig"), "defaults"),
       ("a function of half the time", put("Train/Properties/Timeout", 450), "defaults"),
       ("no bucket", drop("Predict/Properties/Environment/Variables/FAIRWAY_BUCKET"), "defaults"),
       ("the refresh without its database", drop("Refresh/Properties/Environment/Variables/FAIRWAY_DB_SECRET"), "defaults"),
       ("the setup outside of the VPC", drop("Setup/Properties/VpcConfig"), "defaults"),
       ("the setup in another network", put("Setup/Properties/VpcConfig/SecurityGroupIds",
                                            [{"Fn::GetAtt": "EndpointSecurityGroup.GroupId"}]), "defaults"),
       ("the setup of another program",
        put("Setup/Properties/CodeUri", "../target/packages/current/train_model.zip"), "defaults"),
       ("the setup before its secrets can be reached", drop("Setup/DependsOn"), "defaults"),
       ("the setup without its database", drop(VARIABLES.format("Setup") + "FAIRWAY_DB"), "defaults"),
       ("the setup without its user", drop(VARIABLES.format("Setup") + "FAIRWAY_DB_USER_SECRET"), "defaults"),
       ("the setup with DataGolf's key",
        put(VARIABLES.format("Setup") + "FAIRWAY_SECRET_DATAGOLF_API_KEY", {"Ref": "DataGolfSecret"}), "defaults"),
       ("the refresh as a setup",
        put(VARIABLES.format("Refresh") + "FAIRWAY_DB_USER_SECRET", {"Ref": "DatabaseUserSecret"}), "defaults"),
       ("without IPv6 on the way out by IPv6", drop("Refresh/Properties/VpcConfig/Ipv6AllowedForDualStack"), "frugal"))
def functions(view):
    wrong = []
    for name, p in view.of("AWS::Lambda::Function").items():
        short, variables = FUNCTIONS.get(name, name), p.get("Environment", {}).get("Variables", {})
        if (p["Runtime"], p["Handler"]) != ("provided.al2023", "bootstrap") or p["Architectures"] != [view.parameters["Architecture"]]:
            wrong.append(f"{short} runs on {p['Runtime']} {p['Architectures']}")
        if (p["Timeout"], p["MemorySize"]) != SIZES.get(short):
            wrong.append(f"{short} has {p['Timeout']} s and {p['MemorySize']} MB")
        if ("VpcConfig" in p) != (name in ("Refresh", "Setup")):
            wrong.append(f"{short}: in the VPC or not?")
        if name != "Setup" and variables.get("FAIRWAY_BUCKET") != f"s3://{BUCKET}":
            wrong.append(f"{short} does not know the bucket")
        own = view.conditions["MakesDatabase"]
        url = "mysql://<Database.Endpoint.Address>:3306/golf?ssl-ca=/var/task/global-bundle.pem" if own else ""
        if name == "Setup":
            refresh = view.resources["Refresh"]["Properties"]
            if variables != {"FAIRWAY_DB": url, "FAIRWAY_DB_SECRET": MASTER, "FAIRWAY_DB_USER_SECRET": USER}:
                wrong.append(f"{short} does not know its database, or more than that")
            if p["Code"] != refresh["Code"]:
                wrong.append(f"{short} is another program than the refresh")
            own_place, place = p.get("VpcConfig", {}), refresh.get("VpcConfig", {})
            is_beside = all(own_place.get(key) == place.get(key) for key in ("SubnetIds", "SecurityGroupIds"))
            if not is_beside or "SecretsEndpoint" not in view.needs[name]:
                wrong.append(f"{short} is elsewhere than the refresh, or before its secrets")
        if name == "Refresh":
            secret = USER if own else SECRET
            if "FAIRWAY_DB_USER_SECRET" in variables:
                wrong.append(f"{short} would set up the database")
            if variables.get("FAIRWAY_DB_SECRET") != secret or variables.get("FAIRWAY_DB") != url:
                wrong.append(f"{short} does not know the database")
            if variables.get("FAIRWAY_SECRET_DATAGOLF_API_KEY") != "<DataGolfSecret>":
                wrong.append(f"{short} does not know DataGolf's key")
            if p.get("VpcConfig", {}).get("Ipv6AllowedForDualStack") is not view.conditions["HasIpv6"]:
                wrong.append(f"{short} cannot use the way out")
    return wrong


@check("each function's log is one of ours, with an end, and so is the API's",
       ("a log kept for ever", drop("TrainLogs/Properties/RetentionInDays"), "defaults"),
       ("a log that Lambda makes", drop("Predict/Properties/LoggingConfig"), "defaults"),
       ("lines wrapped once more", put("Refresh/Properties/LoggingConfig/LogFormat", "JSON"), "defaults"))
def logs(view):
    groups = view.of("AWS::Logs::LogGroup")
    wrong = [f"{name} keeps its lines for ever" for name, g in groups.items() if not g.get("RetentionInDays")]
    for name, p in view.of("AWS::Lambda::Function").items():
        config = p.get("LoggingConfig", {})
        group = groups.get(str(config.get("LogGroup")).strip("<>"))
        if not group or group["LogGroupName"] != f"/aws/lambda/{p.get('FunctionName')}" or config.get("LogFormat") != "Text":
            wrong.append(f"{name} logs elsewhere, or in another form")
    return wrong


# Their names are the same each time that Ec2Training or DatabaseSecretArn is set, and CloudFormation makes no group
# that is there.
SWITCHED = {"Ec2SwitchLogs", "SetupLogs"}


@check("logs and dead letters outlive the stack, but for two logs that would be in the way",
       ("a log that goes with the stack", drop("RefreshLogs/DeletionPolicy"), "defaults"),
       ("a log that goes with its name", put("ApiLogs/UpdateReplacePolicy", "Delete"), "defaults"),
       ("dead letters that go with the stack", put("InvocationDeadLetters/DeletionPolicy", "Delete"), "defaults"),
       ("dead letters that go with the instance", drop("Ec2DeadLetters/DeletionPolicy"), "everything"),
       ("a log that stays after a stack that was never made", put("TrainLogs/DeletionPolicy", "Retain"), "defaults"),
       ("a log that is in the way when the switch is on again",
        lambda s: at(s, "Ec2SwitchLogs").update(DeletionPolicy="RetainExceptOnCreate"), "everything"),
       ("a log that is in the way when the stack makes a database again",
        lambda s: at(s, "SetupLogs").update(DeletionPolicy="RetainExceptOnCreate"), "defaults"))
def evidence(view):
    wrong = []
    for name, resource in view.resources.items():
        if resource["Type"] != "AWS::Logs::LogGroup" and not name.endswith("DeadLetters"):
            continue
        wanted = (None, None) if name in SWITCHED else ("RetainExceptOnCreate", "Retain")
        found = resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")
        if found != wanted:
            wrong.append(f"{name} has {found} instead of {wanted}")
    return wrong


@check("what is started without anybody waiting is kept when it fails",
       ("the refresh's failures are lost", drop("Refresh/Properties/EventInvokeConfig"), "defaults"),
       ("the watchdog's failures are lost", drop("Ec2Switch/Properties/EventInvokeConfig/DestinationConfig"), "everything"),
       ("a schedule without dead letters", drop("TrainSchedule/Properties/Target/DeadLetterConfig"), "defaults"))
def asynchronous(view):
    kept = {c["FunctionName"].strip("<>") for c in view.of("AWS::Lambda::EventInvokeConfig").values()
            if c.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") == "<InvocationDeadLetters.Arn>"}
    wrong = [f"{name} loses what failed" for name in ("Refresh", "Train", "Ec2Switch") if name in view.resources and name not in kept]
    for name, schedule in view.of("AWS::Scheduler::Schedule").items():
        if schedule["Target"].get("DeadLetterConfig", {}).get("Arn") != "<InvocationDeadLetters.Arn>":
            wrong.append(f"{name} loses what it could not start")
    return wrong


@check("the schedules are Tuesday's refresh, the daily training and the watchdog",
       ("on another day", put("RefreshSchedule/Properties/ScheduleExpression", "cron(0 9 ? * MON *)"), "defaults"),
       ("in another zone", put("RefreshSchedule/Properties/ScheduleExpressionTimezone", "America/New_York"), "defaults"),
       ("training on a schedule although nobody asked", put("TrainSchedule/Properties/State", "ENABLED"), "frugal"),
       ("a watchdog that is told nothing", put("WatchdogSchedule/Properties/Target/Input", "{}"), "everything"),
       ("a role that may not start its function",
        lambda s: statements_of(s, "ScheduleRole")[0]["Resource"].pop(1), "defaults"))
def schedules(view):
    got = view.of("AWS::Scheduler::Schedule")
    wrong = []
    refresh, train, dog = (got.get(n + "Schedule", {}) for n in ("Refresh", "Train", "Watchdog"))
    if refresh.get("ScheduleExpression") != "cron(0 9 ? * TUE *)" or refresh.get("ScheduleExpressionTimezone") != "UTC":
        wrong.append(f"the refresh runs at {refresh.get('ScheduleExpression')} {refresh.get('ScheduleExpressionTimezone')}")
    if train.get("State") != ("ENABLED" if view.conditions["TrainsOnSchedule"] else "DISABLED"):
        wrong.append(f"daily training is {train.get('State')}")
    if view.conditions["TrainsOnEc2"] and json.loads(dog.get("Target", {}).get("Input", "{}")) != {"watchdog": True}:
        wrong.append("nobody watches the training instance")
    for name, schedule in got.items():
        if not allowed(view.role("ScheduleRole"), "lambda:InvokeFunction", schedule["Target"]["Arn"], {}):
            wrong.append(f"{name} may not start its function")
    return wrong


# ---- The API

@check("the API answers two routes, to keys only, with limits, and its log holds neither bodies nor keys",
       ("without a key", put("PredictApi/Properties/Auth/ApiKeyRequired", False), "defaults"),
       ("one route without a key", put("Predict/Properties/Events/Model/Properties/Auth", {"ApiKeyRequired": False}), "defaults"),
       ("no quota", drop("PredictApi/Properties/Auth/UsagePlan/Quota"), "defaults"),
       ("no throttle", drop("PredictApi/Properties/Auth/UsagePlan/Throttle"), "defaults"),
       ("bodies in the log", put("PredictApi/Properties/MethodSettings/0/DataTraceEnabled", True), "defaults"),
       ("the key in the log", put("PredictApi/Properties/AccessLogSetting/Format", '{"key":"$context.identity.apiKey"}'), "defaults"),
       ("no log", drop("PredictApi/Properties/AccessLogSetting"), "defaults"),
       ("a third route", put("Predict/Properties/Events/Health",
                             {"Type": "Api", "Properties": {"RestApiId": {"Ref": "PredictApi"}, "Path": "/healthz", "Method": "GET"}}), "defaults"),
       ("a second stage", drop("PredictApi/Properties/OpenApiVersion"), "defaults"),
       ("a log before the account's role", drop("ApiLogs/Properties/Tags"), "defaults"))
def api(view):
    wrong = []
    (rest,) = view.of("AWS::ApiGateway::RestApi").values()
    routes = {(path, verb): m for path, verbs in rest["Body"]["paths"].items() for verb, m in verbs.items()}
    if set(routes) != {("/predict", "post"), ("/model", "get")}:
        wrong.append(f"its routes are {sorted(routes)}")
    wrong += [f"{route} asks for no key" for route, m in routes.items() if {"api_key": []} not in m.get("security", [])]
    stages = view.of("AWS::ApiGateway::Stage")
    names = [s["StageName"] for s in stages.values()] + [d["StageName"] for d in view.of("AWS::ApiGateway::Deployment").values() if "StageName" in d]
    if names != ["production"]:
        wrong.append(f"its stages are {names}")
    for stage in stages.values():
        log = stage.get("AccessLogSetting", {})
        if log.get("DestinationArn") != "<ApiLogs.Arn>":
            wrong.append("it has no access log")
        elif re.search(r"\$context\.identity\.apiKey(?!Id)|\$input|authorizer", log["Format"]) or not json.loads(log["Format"]):
            wrong.append("its log holds what it must not")
        for setting in stage.get("MethodSettings", []):
            if setting.get("DataTraceEnabled") or setting.get("LoggingLevel", "OFF") != "OFF":
                wrong.append("its log holds bodies")
    plans = list(view.of("AWS::ApiGateway::UsagePlan").values())
    if not plans or not all(p.get("Quota", {}).get("Limit") and p.get("Throttle", {}).get("RateLimit") for p in plans):
        wrong.append("it has no plan with quota and throttle")
    if view.conditions["SetsApiLogRole"] and "ApiAccount" not in view.needs["ApiLogs"]:
        wrong.append("its log may come before the role for it")
    return wrong


# ---- Instances and the network

@check("no stranger gets in: no SSH, nothing from everywhere, and predictd only for AllowedCidr",
       ("SSH", lambda s: at(s, "ServerSecurityGroup/Properties/SecurityGroupIngress").append(
           {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "10.0.0.0/8"}), "everything"),
       ("a range of ports around SSH", lambda s: at(s, "TrainerSecurityGroup/Properties").update(
           SecurityGroupIngress=[{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 1024, "CidrIp": "10.0.0.0/8"}]), "everything"),
       ("everybody by default", parameter("AllowedCidr", "Default", "0.0.0.0/0"), "everything"),
       ("everybody by IPv6", lambda s: at(s, "ServerSecurityGroup/Properties/SecurityGroupIngress").append(
           {"IpProtocol": "tcp", "FromPort": 5000, "ToPort": 5000, "CidrIpv6": "::/0"}), "everything"),
       ("a rule of its own", put("Open", {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {
           "GroupId": "sg-1", "IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}}), "defaults"),
       ("a key pair", put("ServerTemplate/Properties/LaunchTemplateData/KeyName", "mine"), "everything"),
       ("the database for the whole network", lambda s: at(s, "DatabaseSecurityGroup/Properties/SecurityGroupIngress").append(
           {"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "CidrIp": {"Ref": "VpcCidr"}}), "defaults"))
def ingress(view):
    wrong = []
    rules = [(name, r) for name, g in view.of("AWS::EC2::SecurityGroup").items() for r in g.get("SecurityGroupIngress", [])]
    rules += list(view.of("AWS::EC2::SecurityGroupIngress").items())
    for name, r in rules:
        low, high = int(r.get("FromPort", 0)), int(r.get("ToPort", 65535))
        if low <= 22 <= high:
            wrong.append(f"{name} admits SSH")
        if str(r.get("CidrIp", "")).endswith("/0") or str(r.get("CidrIpv6", "")).endswith("/0"):
            wrong.append(f"{name} admits everybody")
        if name == "ServerSecurityGroup" and (low, high, r.get("CidrIp")) != (5000, 5000, view.parameters["AllowedCidr"]):
            wrong.append(f"{name} admits {r}")
        if name in ("DatabaseSecurityGroup", "EndpointSecurityGroup") and r.get("SourceSecurityGroupId") not in ("<RefreshSecurityGroup>",
                                                                                                             "<RefreshSecurityGroup.GroupId>"):
            wrong.append(f"{name} admits others than the function")
    wrong += [f"{name} has a key pair" for name, t in view.of("AWS::EC2::LaunchTemplate").items() if "KeyName" in t["LaunchTemplateData"]]
    return wrong


def accepts(view, name, value):
    p = view.source["Parameters"][name]
    if "AllowedValues" in p and value not in [str(v) for v in p["AllowedValues"]]:
        return False
    return re.fullmatch(p.get("AllowedPattern", ".*"), value, re.S) is not None


def rule_refuses(view, **values):
    """Whether one of the template's Rules refuses these parameters."""
    defaults = {name: str(p["Default"]) for name, p in view.source["Parameters"].items() if "Default" in p}
    old, view.parameters, view.at = view.parameters, {**defaults, **values}, None
    try:
        rules = view.template.get("Rules", {}).values()
        return any(("RuleCondition" not in r or view.decide(r["RuleCondition"]))
                   and not all(view.decide(a["Assert"]) for a in r["Assertions"]) for r in rules)
    finally:
        view.parameters = old


@check("parameters are described, grouped, safe when nobody sets them, and refuse what would hurt",
       ("AllowedCidr takes the world", parameter("AllowedCidr", "AllowedPattern", r"[0-9./]+"), "defaults"),
       ("a server for everybody by default", parameter("AllowedCidr", "Default", "10.0.0.0/8"), "defaults"),
       ("a server by default", parameter("ServerEnabled", "Default", "yes"), "defaults"),
       ("MariaDB by default", parameter("DatabaseEngine", "Default", "mariadb"), "defaults"),
       ("any engine", parameter("DatabaseEngine", "AllowedValues", ["mysql", "mariadb", "postgres"]), "defaults"),
       ("an engine whose change is not explained",
        parameter("DatabaseEngine", "Description", "The project's checks run on MariaDB 10.11."), "defaults"),
       ("an engine of which nobody says what is tested", parameter(
           "DatabaseEngine", "Description", "Changing it later would make a new, empty database."), "defaults"),
       ("a prefix without an end", parameter("FunctionPrefix", "AllowedPattern", "[a-z0-9-]*"), "defaults"),
       ("a server without an image", lambda s: s["Rules"].pop("ServerHasAnImage"), "defaults"),
       ("an instance of another processor", lambda s: s["Rules"].pop("TrainerOfThisArchitecture"), "defaults"),
       ("no description", lambda s: s["Parameters"]["NatMode"].pop("Description"), "defaults"),
       ("in no group", lambda s: s["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].pop(), "defaults"),
       ("a parameter that nothing uses", lambda s: s["Parameters"].update(Idle={"Type": "String", "Default": "x", "Description": "x"}), "defaults"))
def parameters(view):
    source, wrong = view.source, []
    groups = source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [p for g in groups for p in g["Parameters"]]
    rest = json.dumps([source[k] for k in ("Resources", "Conditions", "Outputs", "Rules") if k in source] + [source.get("Globals")])
    for name, p in source["Parameters"].items():
        if not p.get("Description"):
            wrong.append(f"{name} has no description")
        if grouped.count(name) != 1:
            wrong.append(f"{name} is in {grouped.count(name)} groups")
        if f'{{"Ref": "{name}"}}' not in rest and f"${{{name}}}" not in rest:
            wrong.append(f"{name} is used by nothing")
        if "Default" in p and p["Type"] == "String" and not accepts(view, name, str(p["Default"])):
            wrong.append(f"{name} refuses its own default")
    safe = {"AllowedCidr": "127.0.0.1/32", "ServerEnabled": "no", "Ec2Training": "no", "NatMode": "nat", "TrainOnArrival": "yes", "TrainOnSchedule": "yes",
            "DatabaseDeletionProtection": "true", "DatabaseEngine": "mysql", "FunctionPrefix": ""}
    wrong += [f"{n} is {source['Parameters'][n]['Default']} by default" for n, v in safe.items() if str(source["Parameters"][n]["Default"]) != v]
    for name, value, good in [
            ("AllowedCidr", "0.0.0.0/0", False), ("AllowedCidr", "1.2.3.4/0", False), ("AllowedCidr", "128.0.0.0/1", False),
            ("AllowedCidr", "0.0.0.0/00", False), ("AllowedCidr", "300.1.1.1/32", False), ("AllowedCidr", "203.0.113.7/32", True),
            ("AllowedCidr", "10.0.0.0/8", True), ("AllowedCidr", "", False), ("VpcCidr", "10.0.0.0/8", False), ("VpcCidr", "8.8.0.0/16", False),
            ("VpcCidr", "172.20.0.0/16", True), ("DatabaseSecretArn", SECRET, True), ("DatabaseSecretArn", "password", False),
            ("ServerImage", IMAGE, True), ("ServerImage", "evil/image; rm -rf /", False), ("BucketName", "Upper", False),
            ("BucketName", BUCKET, True), ("AlarmEmail", "a@example.org", True), ("AlarmEmail", "nobody", False),
            ("DatabaseEngine", "mariadb", True), ("DatabaseEngine", "postgres", False),
            ("FunctionPrefix", "football-", True), ("FunctionPrefix", "football", False),
            ("FunctionPrefix", "Football-", False), ("FunctionPrefix", "-", False),
            ("FunctionPrefix", "a" * 30 + "-", True), ("FunctionPrefix", "a" * 31 + "-", False)]:
        if accepts(view, name, value) is not good:
            wrong.append(f"{name} {'refuses' if good else 'takes'} {value!r}")
    for name in ("DatabaseEngine", "RecipeName"):
        if "Changing it later would make a new, empty database." not in source["Parameters"][name]["Description"]:
            wrong.append(f"{name} does not say what changing it does")
    if "checks run on MariaDB 10.11" not in source["Parameters"]["DatabaseEngine"]["Description"]:
        wrong.append("DatabaseEngine does not say which engine is tested")
    for values, good in [
            ({"ServerEnabled": "yes", "ServerImage": ""}, False),
            ({"Architecture": "arm64", "ServerEnabled": "yes", "ServerImage": IMAGE, "ServerInstanceType": "t3.micro"}, False),
            ({"Architecture": "arm64", "ServerEnabled": "yes", "ServerImage": IMAGE, "ServerInstanceType": "t4g.micro"}, True),
            ({"Architecture": "x86_64", "Ec2Training": "yes", "TrainerInstanceType": "c7g.large"}, False),
            ({"Architecture": "x86_64", "Ec2Training": "yes", "TrainerInstanceType": "c7i.large"}, True)]:
        if rule_refuses(view, **values) is good:
            wrong.append(f"the rules {'refuse' if good else 'take'} {values}")
    return wrong


@check("instances ask for a token, hops fit, disks are encrypted, and changes make a new one",
       ("no token", put("ServerTemplate/Properties/LaunchTemplateData/MetadataOptions/HttpTokens", "optional"), "everything"),
       ("the container cannot reach its role", put("ServerTemplate/Properties/LaunchTemplateData/MetadataOptions/HttpPutResponseHopLimit", 1), "everything"),
       ("more hops than needed", put("TrainerTemplate/Properties/LaunchTemplateData/MetadataOptions/HttpPutResponseHopLimit", 3), "everything"),
       ("a plain disk", put("TrainerTemplate/Properties/LaunchTemplateData/BlockDeviceMappings/0/Ebs/Encrypted", False), "everything"),
       ("a new image that is never run", put("Server/Properties/LaunchTemplate/Version", "1"), "everything"),
       ("a trainer that nobody finds", drop("Trainer/Properties/Tags"), "everything"))
def instances(view):
    wrong, templates = [], view.of("AWS::EC2::LaunchTemplate")
    for name, hops in (("ServerTemplate", 2), ("TrainerTemplate", 1)):
        data = templates.get(name, {}).get("LaunchTemplateData")
        if data is None:
            continue
        options = data.get("MetadataOptions", {})
        if options.get("HttpTokens") != "required":
            wrong.append(f"{name}: metadata without a token")
        if options.get("HttpPutResponseHopLimit") != hops:
            wrong.append(f"{name}: {options.get('HttpPutResponseHopLimit')} hops instead of {hops}")
        if not all(d["Ebs"].get("Encrypted") is True for d in data["BlockDeviceMappings"]):
            wrong.append(f"{name}: a plain disk")
    for name, instance in view.of("AWS::EC2::Instance").items():
        if instance.get("LaunchTemplate", {}).get("Version") != f"<{name}Template.LatestVersionNumber>":
            wrong.append(f"{name} does not follow its template")
    if "Trainer" in view.resources:
        tags = {t["Key"]: t["Value"] for t in view.resources["Trainer"]["Properties"].get("Tags", [])}
        tag = view.resources["Ec2Switch"]["Properties"]["Environment"]["Variables"]["FAIRWAY_INSTANCE_TAG"]
        if tag not in [f"{k}={v}" for k, v in tags.items()]:
            wrong.append(f"ec2_switch looks for {tag}, and the instance has {tags}")
    return wrong


def in_user_data(old, new):
    def change(source):
        script = at(source, "ServerTemplate/Properties/LaunchTemplateData/UserData/Fn::Base64")
        script["Fn::Sub"] = script["Fn::Sub"].replace(old, new)
    return change


CONTAINER = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "-p 5000:5000", "-e FAIRWAY_KEYS", "--listen 0.0.0.0:5000", "Restart=always"]


@check("the server's container is locked in, comes back, and reports each minute",
       *[(f"without {word}", in_user_data(word, ""), "everything")
         for word in CONTAINER + ["--metric-name ServerHealthy"]],
       ("for everybody", in_user_data("--listen 0.0.0.0:5000", "--listen 0.0.0.0:5000 --open"), "everything"),
       ("a report in the first stack's name",
        in_user_data("Function=${FunctionPrefix}predictd", "Function=predictd"), "second"))
def container(view):
    if "ServerTemplate" not in view.resources:
        return []
    script = view.resources["ServerTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    wrong = [f"no {word}" for word in CONTAINER if word not in script]
    if "--open" in script:
        wrong.append("it asks for no key")
    metric = f"--namespace Fairway --metric-name ServerHealthy --dimensions Function={view.prefix}predictd "
    if metric not in script or "OnUnitActiveSec=60" not in script:
        wrong.append("no report each minute")
    if f"IMAGE={IMAGE}" not in script or "<" in script.split("cat >", 1)[0]:
        wrong.append("another image")
    return wrong


# Only MySQL has support that costs extra, and can be told to do without.
ENGINES = {
    "mysql": {"Engine": "mysql", "EngineVersion": "8.4",
              "EngineLifecycleSupport": "open-source-rds-extended-support-disabled"},
    "mariadb": {"Engine": "mariadb", "EngineVersion": "10.11", "EngineLifecycleSupport": None},
}


@check("the database is of the chosen engine, private, encrypted, saved and hard to lose",
       ("public", put("Database/Properties/PubliclyAccessible", True), "defaults"),
       ("plain", put("Database/Properties/StorageEncrypted", False), "defaults"),
       ("no backups", put("Database/Properties/BackupRetentionPeriod", 0), "defaults"),
       ("no snapshot at the end", put("Database/DeletionPolicy", "Delete"), "defaults"),
       ("no protection", drop("Database/Properties/DeletionProtection"), "defaults"),
       ("a password of ours", lambda s: at(s, "Database/Properties").update(MasterUserPassword="secret123"), "defaults"),
       ("without TLS", put("DatabaseParameters/Properties/Parameters/require_secure_transport", "0"), "defaults"),
       ("two databases", lambda s: at(s, "Database").pop("Condition"), "frugal"),
       ("MySQL although MariaDB was asked for", put("Database/Properties/Engine", "mysql"), "second"),
       ("MariaDB with MySQL's version", put("Database/Properties/EngineVersion", "8.4"), "second"),
       ("MariaDB with MySQL's parameters", put("DatabaseParameters/Properties/Family", "mysql8.4"), "second"),
       ("MySQL with MariaDB's parameters", put("DatabaseParameters/Properties/Family", "mariadb10.11"), "defaults"),
       ("MariaDB with what only MySQL has", put(
           "Database/Properties/EngineLifecycleSupport", "open-source-rds-extended-support-disabled"), "second"),
       ("MySQL that costs more after its time", drop("Database/Properties/EngineLifecycleSupport"), "defaults"))
def database(view):
    if not view.conditions["MakesDatabase"]:
        return ["a database although there is one"] if "Database" in view.resources else []
    resource = view.resources["Database"]
    p = resource["Properties"]
    wanted = {"PubliclyAccessible": False, "StorageEncrypted": True, "ManageMasterUserPassword": True, "DeletionProtection": "true",
              "DBName": "golf", **ENGINES[view.parameters["DatabaseEngine"]]}
    wrong = [f"{k} is {p.get(k)}" for k, v in wanted.items() if p.get(k) != v]
    if "MasterUserPassword" in p or p.get("BackupRetentionPeriod", 0) < 7:
        wrong.append("a password of its own, or too few backups")
    if (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) != ("Snapshot", "Snapshot"):
        wrong.append("it goes without a snapshot")
    group = view.resources[p["DBParameterGroupName"].strip("<>")]["Properties"]
    if group["Family"] != wanted["Engine"] + wanted["EngineVersion"]:
        wrong.append(f"its parameters are those of {group['Family']}")
    if group["Parameters"].get("require_secure_transport") != "1":
        wrong.append("it takes connections without TLS")
    return wrong


@check("the refresh has a way to DataGolf, to S3, to its secrets and to itself, and costs no second way",
       ("no NAT", drop("NatRoute"), "defaults"),
       ("no way for IPv6", drop("EgressOnlyRoute"), "frugal"),
       ("a NAT beside it", lambda s: at(s, "Nat").pop("Condition") and at(s, "NatAddress").pop("Condition"), "frugal"),
       ("no way to start itself", drop("LambdaEndpoint"), "frugal"),
       ("S3 by the NAT", drop("S3Endpoint"), "defaults"),
       ("a subnet without routes", lambda s: (drop("PrivateRoutesB")(s), at(s, "Refresh/DependsOn").remove("PrivateRoutesB")), "defaults"),
       ("in a public subnet", put("Refresh/Properties/VpcConfig/SubnetIds", [{"Ref": "PublicSubnetA"}]), "defaults"))
def network(view):
    wrong = []
    routes = [r for r in view.of("AWS::EC2::Route").values() if r["RouteTableId"] == "<PrivateTable>"]
    nat = any(r.get("DestinationCidrBlock") == "0.0.0.0/0" and "NatGatewayId" in r for r in routes)
    six = any(r.get("DestinationIpv6CidrBlock") == "::/0" and "EgressOnlyInternetGatewayId" in r for r in routes)
    if (nat, six) != (view.conditions["HasNat"], view.conditions["HasIpv6"]):
        wrong.append(f"the ways out: NAT {nat}, IPv6 {six}")
    if not view.conditions["HasNat"] and view.of("AWS::EC2::NatGateway"):
        wrong.append("a NAT that nothing uses")
    endpoints = {e["ServiceName"].rsplit(".", 1)[-1] for e in view.of("AWS::EC2::VPCEndpoint").values()}
    wanted = {"s3", "secretsmanager"} | ({"lambda"} if view.conditions["HasIpv6"] else set())
    if endpoints != wanted:
        wrong.append(f"endpoints for {sorted(endpoints)}, not {sorted(wanted)}")
    tables = {a["SubnetId"]: a["RouteTableId"] for a in view.of("AWS::EC2::SubnetRouteTableAssociation").values()}
    for subnet in view.resources["Refresh"]["Properties"].get("VpcConfig", {}).get("SubnetIds", []):
        if tables.get(subnet) != "<PrivateTable>":
            wrong.append(f"{subnet} does not lead out")
    return wrong


# ---- Alarms, secrets and what is told

@check("somebody hears of errors, failures, dead letters, an old model, a sick server and costs",
       ("no alarm for a function's errors", drop("TrainErrors"), "defaults"),
       ("no alarm for a function's failures", drop("RefreshFailures"), "defaults"),
       ("no alarm for dead letters", drop("InvocationDeadLettersFilled"), "defaults"),
       ("no alarm for an old model", drop("ModelTooOld"), "defaults"),
       ("silence is a young model", put("ModelTooOld/Properties/TreatMissingData", "notBreaching"), "defaults"),
       ("silence is an old model that nobody measures", put("ModelTooOld/Properties/TreatMissingData", "breaching"), "frugal"),
       ("a silent server is well", put("ServerUnhealthy/Properties/TreatMissingData", "notBreaching"), "everything"),
       ("no recovery", drop("ServerRecovery"), "everything"),
       ("nobody is told", drop("PredictErrors/Properties/AlarmActions"), "defaults"),
       ("alarms may not speak", drop("AlarmsPolicy"), "defaults"),
       ("an alarm for the first stack's failures",
        put("RefreshFailures/Properties/Dimensions/0/Value", "get_new_eventlist_events"), "second"),
       ("an alarm for the first stack's errors", put(
           "TrainErrors/Properties/Dimensions/0/Value", "train_model"), "second"),
       ("an alarm for the first stack's server", put(
           "ServerUnhealthy/Properties/Dimensions/0/Value", "predictd"), "second"),
       ("no mail", drop("AlarmsByEmail"), "everything"),
       ("no budget", drop("Budget"), "defaults"))
def alarms(view):
    wrong, found = [], {}
    for name, a in view.of("AWS::CloudWatch::Alarm").items():
        if "<Alarms>" not in a.get("AlarmActions", []):
            wrong.append(f"{name} tells nobody")
        key = (a["Namespace"], a["MetricName"], ",".join(sorted(f"{d['Name']}={d['Value']}" for d in a["Dimensions"])))
        found[key] = a
    # deploy waits for the setup, and says itself what went wrong.
    called = {f: view.prefix + name for f, name in FUNCTIONS.items() if f in view.resources and f != "Setup"}
    wanted = [("AWS/Lambda", "Errors", f"FunctionName={name}") for name in called.values()]
    wanted += [("Fairway", "Failures", f"Function={name}") for name in called.values()]
    wanted += [("AWS/SQS", "ApproximateNumberOfMessagesVisible", f"QueueName=<{q}.QueueName>")
               for q in view.of("AWS::SQS::Queue") if q.endswith("DeadLetters")]
    age = ("Fairway", "ModelAgeDays", f"Function={called['Train']}")
    wanted.append(age)
    health = ("Fairway", "ServerHealthy", f"Function={view.prefix}predictd")
    recovery = ("AWS/EC2", "StatusCheckFailed_System", "InstanceId=<Server>")
    if "Server" in view.resources:
        wanted += [health, recovery]
    wrong += [f"no alarm for {' '.join(key)}" for key in wanted if key not in found]
    silence = "breaching" if view.conditions["TrainsOnSchedule"] else "notBreaching"
    if age in found and (found[age]["TreatMissingData"] != silence or found[age]["Threshold"] != view.parameters["ModelAgeDays"]):
        wrong.append("the model's age: silence or the limit is taken wrongly")
    if health in found and (found[health]["TreatMissingData"], found[health]["ComparisonOperator"]) != ("breaching", "LessThanThreshold"):
        wrong.append("a silent server rings no alarm")
    if recovery in found and f"arn:aws:automate:{REGION}:ec2:recover" not in found[recovery]["AlarmActions"]:
        wrong.append("the server is not recovered")
    speakers = [s["Principal"]["Service"] for t in view.of("AWS::SNS::TopicPolicy").values() for s in t["PolicyDocument"]["Statement"]]
    if not any({"cloudwatch.amazonaws.com", "budgets.amazonaws.com"} <= set(many(s)) for s in speakers):
        wrong.append("alarms and budget may not use the topic")
    if view.parameters["AlarmEmail"] and not view.of("AWS::SNS::Subscription"):
        wrong.append("no mail although there is an address")
    if not view.of("AWS::Budgets::Budget"):
        wrong.append("no budget")
    return wrong


def look_back(alarm):
    """What CloudWatch refuses of the time that an alarm looks back (PutMetricAlarm, AWS::CloudWatch::Alarm)."""
    period = int(alarm["Period"])
    span, wrong = period * int(alarm["EvaluationPeriods"]), []
    if span > (604800 if period >= 3600 else 86400):
        wrong.append(f"looks back {span} s with a period of {period} s")
    if "WallClockWindow" in alarm.get("EvaluationWindow", {}) and period not in (60, 300, 3600, 86400, 604800):
        wrong.append(f"has no whole periods of {period} s")
    if not 1 <= alarm.get("WarmUpConfiguration", {}).get("WarmUpPeriodDurationInMinutes", 1) <= 2880:
        wrong.append("warms up longer than two days")
    return wrong


def rings(alarm, runs, made, end):
    """The hours in which an alarm of whole days begins to ring that was made in the hour `made`. Hours count from the
    beginning of a Monday, `runs` too. CloudWatch looks once an hour, at the days that are over, and at no others."""
    days, silence_is_low = int(alarm["EvaluationPeriods"]), alarm["TreatMissingData"] == "breaching"
    warm_up = alarm.get("WarmUpConfiguration", {})
    waits = warm_up.get("OnlyStartEvaluatingAfterWarmUpPeriodEnds") is True
    first = made + max(1, warm_up.get("WarmUpPeriodDurationInMinutes", 0) // 60 if waits else 0)
    counts = Counter(run // 24 for run in runs)
    was, began = False, []
    # Between two midnights nothing changes.
    for hour in [first, *range((first // 24 + 1) * 24, end, 24)]:
        figures = [counts[day] for day in range(hour // 24 - days, hour // 24)]
        # The comparison is LessThanThreshold; a day without a run has no figure.
        low = [figure < alarm["Threshold"] if figure else silence_is_low for figure in figures]
        now = sum(low) >= int(alarm.get("DatapointsToAlarm", days))
        if now and not was:
            began.append(hour)
        was = now
    return began


TUESDAY_9 = 24 + 9
WEEK = 7 * 24


def missing(key, value):
    return put(f"RefreshMissing/Properties/{key}", value)


WARM_UP = "WarmUpConfiguration/WarmUpPeriodDurationInMinutes"


@check("a refresh that did not run is noticed within eight days, and no other week rings",
       ("no such alarm", drop("RefreshMissing"), "defaults"),
       ("silence is a run", missing("TreatMissingData", "notBreaching"), "defaults"),
       ("the first stack's runs", missing("Dimensions/0/Value", "get_new_eventlist_events"), "second"),
       ("another function's runs", missing("Dimensions/0/Value", "train_model"), "defaults"),
       ("eight days, which CloudWatch refuses", missing("EvaluationPeriods", 8), "defaults"),
       ("six days, of which some hold no Tuesday", missing("EvaluationPeriods", 6), "defaults"),
       ("any day without a run", missing("DatapointsToAlarm", 1), "defaults"),
       ("one run a day is too few", missing("Threshold", 2), "defaults"),
       ("seven times 24 hours, too few for a late run", drop("RefreshMissing/Properties/EvaluationWindow"), "defaults"),
       ("days of another zone", missing("EvaluationWindow/WallClockWindow/Timezone", "Pacific/Pago_Pago"), "defaults"),
       ("a young stack rings", drop("RefreshMissing/Properties/WarmUpConfiguration"), "defaults"),
       ("a young stack may ring on its first day",
        missing("WarmUpConfiguration/OnlyStartEvaluatingAfterWarmUpPeriodEnds", False), "defaults"),
       ("a short time to warm up", missing(WARM_UP, 60), "defaults"),
       ("a longer one than there is", missing(WARM_UP, 4320), "defaults"),
       ("nobody hears that it ran again", drop("RefreshMissing/Properties/OKActions"), "defaults"),
       ("five minutes, looking back two days", put("PredictErrors/Properties/EvaluationPeriods", 576), "defaults"))
def missing_refresh(view):
    alarms = view.of("AWS::CloudWatch::Alarm")
    wrong = [f"{name} {words}" for name, alarm in alarms.items() for words in look_back(alarm)]
    alarm = alarms.get("RefreshMissing")
    if alarm is None:
        return wrong + ["there is no alarm for it"]
    same = {"Namespace": "Fairway", "MetricName": "Runs", "Statistic": "Sum", "Period": 86400,
            "Dimensions": [{"Name": "Function", "Value": view.prefix + FUNCTIONS["Refresh"]}],
            "ComparisonOperator": "LessThanThreshold", "EvaluationWindow": {"WallClockWindow": {"Timezone": "UTC"}},
            "AlarmActions": ["<Alarms>"], "OKActions": ["<Alarms>"]}
    wrong += [f"{key} is {alarm.get(key)}" for key, value in same.items() if alarm.get(key) != value]
    weeks = [TUESDAY_9 + WEEK * n for n in range(8)]
    # Made in any hour of a week, with a first run soon after, and a Tuesday's run that is up to half a day late.
    for made in range(WEEK):
        for late in (0, 1, 12):
            runs = [made + 1] + [run + late for run in weeks if run > made]
            for hour in rings(alarm, runs, made, 6 * WEEK):
                wrong.append(f"it rings {hour - made} hours after it was made in hour {made}, with runs each Tuesday")
    for last in range(2 * WEEK, 3 * WEEK):
        began = rings(alarm, [run for run in weeks if run < last] + [last], 0, 6 * WEEK)
        if not began or not WEEK <= began[-1] - last <= 8 * 24:
            wrong.append(f"after a last run in hour {last} it rings in {began}")
    return wrong[:5]


@check("no secret stands anywhere in the stack",
       ("a password in the environment", put("Refresh/Properties/Environment/Variables/FAIRWAY_DB_PASSWORD", "hunter2hunter2"), "defaults"),
       ("a password in the URL", put("Refresh/Properties/Environment/Variables/FAIRWAY_DB", "mysql://fairway:hunter2@host/golf"), "defaults"),
       ("a secret that CloudFormation copies", put("Refresh/Properties/Environment/Variables/DATAGOLF_API_KEY",
                                                   {"Fn::Sub": "{{resolve:secretsmanager:${DataGolfSecret}}}"}), "defaults"),
       ("DataGolf's key in the template", put("DataGolfSecret/Properties/SecretString", "abc"), "defaults"),
       ("the API's key as an output", lambda s: s["Outputs"].update(ApiKey={"Value": {"Fn::GetAtt": ["PredictApiApiKey", "Value"]}}), "defaults"),
       ("an API key of our choice", put("PredictApi/Properties/Auth/UsagePlan/Description", "x-api-key: abcdefghijklmnopqrst"), "defaults"),
       ("a key as a parameter", lambda s: s["Parameters"].update(DataGolfApiKey={"Type": "String", "Default": ""}), "defaults"))
def secrets(view):
    wrong, text = [], view.text()
    for name, p in view.of("AWS::Lambda::Function").items():
        for variable, value in p.get("Environment", {}).get("Variables", {}).items():
            names_a_secret = variable.endswith("_SECRET") or variable.startswith("FAIRWAY_SECRET_")
            if names_a_secret and value not in ("<DataGolfSecret>", MASTER, USER, SECRET):
                wrong.append(f"{name}: {variable} is no secret's name")
            if not names_a_secret and re.search(r"PASSWORD|API_KEY|TOKEN|CREDENTIAL", variable):
                wrong.append(f"{name}: {variable} stands in the environment")
    if re.search(r"\{\{resolve:(secretsmanager|ssm-secure)", text):
        wrong.append("CloudFormation copies a secret")
    if re.search(r"://[^/\"@ ]+:[^/\"@ ]+@", text):
        wrong.append("a URL with a password")
    if re.search(r"x-api-key: ?[A-Za-z0-9]{20}", json.dumps(view.source["Resources"])):
        wrong.append("an API key")
    wrong += [f"{n} holds a value" for n, s in view.of("AWS::SecretsManager::Secret").items() if "SecretString" in s]
    wrong += [f"{n} holds a value" for n, k in view.of("AWS::ApiGateway::ApiKey").items() if "Value" in k]
    wrong += [f"the output {n} is a secret" for n, v in view.outputs.items() if re.search(r"ApiKey\.|Password|SecretString", str(v))]
    wrong += [f"the parameter {n} is a secret" for n in view.source["Parameters"]
              if re.search(r"(Key|Password|Token|Secret)$", n) or re.search(r"Password|ApiKey$", n)]
    return wrong


@check("images are scanned, never replaced under their tag, and old ones go",
       ("tags that move", put("Repository/Properties/ImageTagMutability", "MUTABLE"), "defaults"),
       ("not scanned", drop("Repository/Properties/ImageScanningConfiguration"), "defaults"),
       ("kept for ever", drop("Repository/Properties/LifecyclePolicy"), "defaults"))
def repository(view):
    p = view.resources["Repository"]["Properties"]
    good = (p.get("ImageTagMutability") == "IMMUTABLE" and p.get("ImageScanningConfiguration", {}).get("ScanOnPush") is True
            and '"countNumber":10' in p.get("LifecyclePolicy", {}).get("LifecyclePolicyText", ""))
    return [] if good else ["it is not so"]


@check("the outputs are what deploy and the guide look for",
       ("deploy does not find the setup", lambda s: s["Outputs"].pop("SetupFunction"), "defaults"),
       ("deploy finds a setup that is not there",
        lambda s: s["Outputs"].update(SetupFunction={"Value": "x"}), "frugal"),
       ("no URL", lambda s: s["Outputs"].pop("ApiUrl"), "defaults"),
       ("no queue", lambda s: s["Outputs"].pop("Ec2QueueUrl"), "everything"))
def outputs(view):
    wanted = {"BucketName", "ApiUrl", "ApiKeyId", "ApiUsagePlanId", "Functions", "DataGolfSecretArn", "TrainingQueueUrl", "TrainingDeadLettersUrl",
              "InvocationDeadLettersUrl", "RepositoryUri", "DatabaseSecretArn", "AlarmTopic"}
    if view.conditions["TrainsOnEc2"]:
        wanted |= {"Ec2QueueUrl", "Ec2DeadLettersUrl", "TrainerInstance"}
    if view.conditions["HasServer"]:
        wanted |= {"ServerUrl", "ServerInstance"}
    if view.conditions["MakesDatabase"]:
        wanted |= {"SetupFunction", "DatabaseUserSecretArn"}
    wrong = [f"no output {name}" for name in sorted(wanted - set(view.outputs))]
    # Where there is one, deploy starts it.
    if view.outputs.get("SetupFunction") != ("<Setup>" if view.conditions["MakesDatabase"] else None):
        wrong.append(f"the setup is {view.outputs.get('SetupFunction')}")
    return wrong


# ---- The linter

# SAM's own: it names dependencies twice, and has filled in a number that was a parameter.
OF_SAM = {"W3005", "W2001"}


def linted(template):
    found = lint(json.dumps(template), regions=[REGION])
    return [f"{m.rule.id} {m.message} ({'/'.join(map(str, m.path or []))})" for m in found if m.rule.id not in OF_SAM]


def part(view, names):
    """Some resources and what they need: the linter takes long for all of them."""
    wanted, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in wanted and name in view.template["Resources"]:
            wanted.add(name)
            todo += view.needs.get(name, ())
    template = {k: v for k, v in view.template.items() if k != "Outputs"}
    template["Resources"] = {n: r for n, r in view.template["Resources"].items() if n in wanted}
    return template


BROKEN_FOR_THE_LINTER = [
    ("the bucket calls a function whose role names the bucket", bucket_calls_function, ["Bucket"], "E3004"),
    ("the queue's policy asks the bucket for its name", bucket_in_its_queue_policy, ["Bucket"], "E3004"),
    ("a property that is none", put("TrainingQueue/Properties/VisibilityTimeouts", 5), ["TrainingQueue"], "E3002"),
    ("a number that is out of range", put("TrainingQueue/Properties/MessageRetentionPeriod", 99999999), ["TrainingQueue"], "E3034"),
]


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    if len(sys.argv) > 2 or str(path).startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    source = yaml_parse(path.read_text(encoding="utf-8"))
    passed, failed = 0, 0

    def tell(good, words, why=()):
        nonlocal passed, failed
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"FAILED: {words}", *why, sep="\n    ")

    views = {}
    for scenario, overrides in SCENARIOS.items():
        try:
            views[scenario] = View(source, overrides)
            tell(True, scenario)
        except InvalidDocumentException as error:
            tell(False, f"SAM does not translate it ({scenario})", [error.message, *(e.message for e in error.causes)])
    # What SAM refuses no later check can look at.
    broken = copy.deepcopy(source)
    put("Train/Properties/Events/NewData/Properties", {})(broken)
    try:
        View(broken, {})
        tell(False, "SAM translates an event without a queue")
    except InvalidDocumentException:
        tell(True, "")
    if len(views) < len(SCENARIOS):
        print(f"{passed} passed, {failed} failed")
        return 1

    found = linted(views["everything"].template)
    tell(not found, "cfn-lint, on the translated template:", found)
    for words, change, names, code in BROKEN_FOR_THE_LINTER:
        broken = copy.deepcopy(source)
        change(broken)
        found = linted(part(View(broken, SCENARIOS["everything"]), names))
        tell(any(f.startswith(code) for f in found), f"cfn-lint does not notice ({code}): {words}", found)

    for title, function, breaks in CHECKS:
        for scenario, view in views.items():
            wrong = function(view)
            tell(not wrong, f"{title} ({scenario})", wrong)
        tell(bool(breaks), f"no broken variant for: {title}")
        for words, change, scenario in breaks:
            broken = copy.deepcopy(source)
            change(broken)
            if broken == source:
                tell(False, f"the variant is not broken: {title}: {words}")
                continue
            try:
                wrong = function(View(broken, SCENARIOS[scenario]))
            except InvalidDocumentException as error:
                wrong = []
                words = f"{words} (SAM refuses it: {error.message})"
            tell(bool(wrong), f"not noticed: {title}: {words}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
