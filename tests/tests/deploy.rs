//! `scripts/aws/deploy`, `destroy` and `logs` with a stand-in for the AWS CLI: what they ask for, what they say, and
//! where secrets do not go.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipelines::repo;
use tempfile::TempDir;

/// Answers as the AWS CLI does as far as the scripts look, and writes down what it was asked. Files in its folder are
/// the account's state.
const AWS: &str = r#"#!/bin/bash
cd "$ACCOUNT" || exit 9
echo "$*" >> calls
case "$*" in
    --version) echo "aws-cli/${CLI_VERSION:-2.31.0} Python/3.13" ;;
    "sts get-caller-identity"*)
        [ ! -f no-credentials ] || { echo "Unable to locate credentials" >&2; exit 253; }
        echo 123456789012
        ;;
    "configure get region") echo us-east-1 ;;
    *describe-stacks*StackStatus*)
        [ -f stack ] || { echo "Stack with id fairway does not exist" >&2; exit 254; }
        cat stack
        ;;
    *describe-stacks*"ParameterKey=='BucketName'"*) echo fairway-123456789012-us-east-1 ;;
    *describe-stacks*ParameterKey==*) echo None ;;
    *describe-stacks*"OutputKey=='BucketName'"*) echo fairway-123456789012-us-east-1 ;;
    *describe-stacks*"OutputKey=='ApiUrl'"*) echo https://api.example/production ;;
    *describe-stacks*"OutputKey=='SetupFunction'"*) if [ -f own-database ]; then echo None; else echo the-setup; fi ;;
    *describe-stacks*OutputKey==*) echo "an-output" ;;
    *describe-stack-resources*) echo None ;;
    "s3api head-bucket --bucket fairway-artifacts"*) [ -f artifacts ] ;;
    "s3 mb"*) touch artifacts ;;
    "s3api head-bucket"*) [ -f bucket ] ;;
    "cloudformation package"*) touch "${@: -1}" ;;
    "cloudformation deploy"*) echo UPDATE_COMPLETE > stack; touch bucket ;;
    "cloudformation delete-stack"*) rm stack ;;
    "secretsmanager put-secret-value"*) cat /dev/stdin > secret; echo version-1 ;;
    "lambda invoke"*'{"setup": true}'*)
        [ ! -f no-setup ] || { echo "not allowed to invoke" >&2; exit 254; }
        answer='{"outcome": "done", "exit": 0, "did": ["the user was made"]}'
        # The answers to come, one a line.
        if [ -s setup ]; then answer=$(head -n 1 setup); sed -i 1d setup; fi
        echo "$answer" > "${@: -1}"
        case $answer in *errorType*) echo Unhandled ;; *) echo None ;; esac
        ;;
    "lambda invoke"*)
        if [ -f probe ]; then cat probe; else echo '{"outcome": "done", "exit": 0}'; fi > "${@: -1}"
        echo None
        ;;
    "apigateway get-account"*) echo None ;;
    "apigateway get-usage-plan-keys"*) echo key-id ;;
    "apigateway get-api-key"*) echo SECRET-OF-THE-API ;;
    "s3api head-object"*) [ -f model ] ;;
    "logs describe-log-groups"*) [ ! -f old-logs ] || echo /aws/lambda/predict ;;
    *) echo ok ;;
esac
"#;

/// Fetches RDS's authorities, and asks the API.
const CURL: &str = r#"#!/bin/bash
echo "curl $*" >> "$ACCOUNT/calls"
while [ $# -gt 1 ]; do
    case $1 in
        --output) out=$2 ;;
        --config) cat > "$ACCOUNT/config" ;;
    esac
    shift
done
case $1 in
    *global-bundle.pem) printf -- '-----BEGIN CERTIFICATE-----\n' > "$out" ;;
    *) printf '{"sg_t2g":1.25}' > "$out"; printf 200 ;;
esac
"#;

/// Nobody waits here.
const SLEEP: &str = "#!/bin/bash\necho \"sleep $*\" >> \"$ACCOUNT/calls\"\n";

/// A copy of what the scripts need, and an account.
struct Account {
    folder: TempDir,
}

impl Account {
    fn new() -> Account {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        for file in [
            "scripts/aws/deploy",
            "scripts/aws/destroy",
            "scripts/aws/logs",
            "scripts/aws/commit",
            "lambda-wrappers/template.yaml",
        ] {
            let copy = path.join("root").join(file);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(repo().join(file), copy).unwrap();
        }
        for (name, text) in [("aws", AWS), ("curl", CURL), ("sleep", SLEEP)] {
            let program = path.join("bin").join(name);
            fs::create_dir_all(program.parent().unwrap()).unwrap();
            fs::write(&program, text).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir_all(path.join("account")).unwrap();
        let account = Account { folder };
        let packages = account.packages();
        fs::create_dir_all(&packages).unwrap();
        for name in ["get_new_eventlist_events", "train_model", "predict", "ec2_switch"] {
            let zip = packages.join(format!("{name}.zip"));
            let made = Command::new("python3")
                .args(["-m", "zipfile", "-c"])
                .arg(zip)
                .arg(path.join("bin/aws"))
                .status();
            assert!(made.unwrap().success());
        }
        // A folder that is no clone has no commit.
        account.made_from("unknown");
        account
    }

    fn packages(&self) -> PathBuf {
        self.folder.path().join("root/target/packages/arm64")
    }

    fn made_from(&self, commit: &str) {
        fs::write(self.packages().join("made-from"), format!("{commit}\n")).unwrap();
    }

    fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("account").join(name)
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.state("calls")).unwrap_or_default()
    }

    /// Runs a script; its exit code, and all that it said.
    fn run(&self, line: &str) -> (i32, String) {
        let _ = fs::remove_file(self.state("calls"));
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let output = Command::new("bash")
            .args(["-c", line])
            .current_dir(path("root"))
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", path("bin")))
            .env("HOME", path("account"))
            .env("ACCOUNT", path("account"))
            .env("GIT_CEILING_DIRECTORIES", path(""))
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), said)
    }

    #[track_caller]
    fn expect(&self, line: &str, code: i32, words: &str) -> String {
        let (ended, said) = self.run(line);
        assert_eq!(ended, code, "$ {line}\n{said}");
        assert!(said.contains(words), "$ {line}: no {words:?} in\n{said}");
        said
    }
}

fn names(zip: &Path) -> String {
    let listed = Command::new("python3").args(["-m", "zipfile", "-l"]).arg(zip).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

const KEY: &str = "DATAGOLF_API_KEY=SECRET-OF-DATAGOLF";

#[test]
fn a_first_deploy_puts_the_key_away_and_ends_with_a_probe() {
    let account = Account::new();
    account.expect("scripts/aws/deploy", 78, "DATAGOLF_API_KEY is not set");
    let said = account.expect(
        &format!("{KEY} scripts/aws/deploy --parameter AlarmEmail=a@example.org"),
        0,
        "No model is approved yet",
    );
    assert!(said.contains("\"outcome\": \"done\"") && !said.contains("SECRET"), "{said}");
    assert_eq!(fs::read_to_string(account.state("secret")).unwrap(), "SECRET-OF-DATAGOLF");
    let calls = account.calls();
    assert!(!calls.contains("SECRET"), "{calls}");
    for wanted in [
        "s3 mb s3://fairway-artifacts-123456789012-us-east-1",
        "--parameter-overrides AlarmEmail=a@example.org BucketName=fairway-123456789012-us-east-1",
        "--payload {\"probe\": true}",
        "--invocation-type Event",
    ] {
        assert!(calls.contains(wanted), "no {wanted} in {calls}");
    }
    // RDS's authorities are in the package that needs them, once.
    let zip = account.packages().join("get_new_eventlist_events.zip");
    let before = fs::read(&zip).unwrap();
    account.expect("scripts/aws/deploy", 0, "No model");
    assert_eq!(fs::read(&zip).unwrap(), before);
    assert_eq!(names(&zip).matches("global-bundle.pem").count(), 1);
    assert!(!names(&account.packages().join("predict.zip")).contains("global-bundle.pem"));
}

#[test]
fn a_later_deploy_ends_with_a_prediction_and_the_lines_to_ask_for_one() {
    let account = Account::new();
    account.expect(&format!("{KEY} scripts/aws/deploy"), 0, "");
    fs::write(account.state("model"), "").unwrap();
    let said = account.expect("scripts/aws/deploy --no-refresh", 0, "{\"sg_t2g\":1.25}");
    assert!(
        said.contains("https://api.example/production/predict") && said.contains("--api-key key-id"),
        "{said}"
    );
    let calls = account.calls();
    assert!(!calls.contains("SECRET") && !said.contains("SECRET"), "{calls}\n{said}");
    assert!(!calls.contains("--invocation-type Event") && !calls.contains("put-secret-value"), "{calls}");
    assert_eq!(
        fs::read_to_string(account.state("config")).unwrap(),
        "header = \"x-api-key: SECRET-OF-THE-API\"\n"
    );
    // What it prints can be typed.
    let line = said.lines().find(|line| line.contains("curl -H")).unwrap().trim();
    let asked = account.run(&format!(
        "key=x; {} --output answer; cat answer",
        line.replace("curl -H", "curl --show-error -H")
    ));
    assert_eq!(asked.0, 0, "{asked:?}");
}

#[test]
fn what_cannot_be_deployed_is_refused_before_anything_is_made() {
    let account = Account::new();
    let deploy = format!("{KEY} scripts/aws/deploy");
    let refuse = |line: &str, code: i32, words: &str| {
        account.expect(line, code, words);
        assert!(!account.calls().contains("cloudformation deploy"), "{}", account.calls());
    };
    account.made_from("0123456789ab");
    refuse(
        &deploy,
        78,
        "the packages were made from 0123456789ab, and this is unknown: scripts/aws/package --arch arm64",
    );
    refuse(&format!("{deploy} --parameter nonsense"), 2, "NAME=VALUE");
    refuse(&format!("{deploy} --stack Golf_"), 2, "lower-case");
    refuse(&format!("{deploy} --nonsense"), 2, "not an option");
    refuse(&format!("CLI_VERSION=1.45.0 {deploy}"), 78, "version 2 of the AWS CLI");
    fs::write(account.state("bucket"), "").unwrap();
    refuse(&deploy, 78, "is there already");
    fs::remove_file(account.state("bucket")).unwrap();
    fs::write(account.state("old-logs"), "").unwrap();
    refuse(&deploy, 78, "an earlier stack's logs are in the way");
    fs::remove_file(account.state("old-logs")).unwrap();
    refuse(&format!("{deploy} --parameter FunctionPrefix=x-"), 2, "have no prefix");
    refuse(&format!("{deploy} --stack golf --parameter FunctionPrefix="), 2, "only the stack fairway");
    fs::write(account.state("stack"), "UPDATE_IN_PROGRESS").unwrap();
    refuse(&deploy, 69, "somebody is at work");
    fs::remove_file(account.state("stack")).unwrap();
    fs::write(account.state("no-credentials"), "").unwrap();
    refuse(&deploy, 77, "no AWS credentials");
    fs::remove_file(account.state("no-credentials")).unwrap();
    account.expect(&format!("{deploy} --any-package"), 0, "");
    fs::write(account.state("probe"), r#"{"outcome": "failed", "exit": 77}"#).unwrap();
    account.expect("scripts/aws/deploy --any-package", 69, "the stack stands, but the probe failed");
}

#[test]
fn each_deploy_sets_the_database_up_before_it_probes() {
    let account = Account::new();
    let line = format!("{KEY} scripts/aws/deploy");
    let setups = || account.calls().matches(r#"--function-name the-setup"#).count();
    account.expect(&line, 0, r#""did": ["the user was made"]"#);
    let calls = account.calls();
    let at = |words: &str| calls.find(words).unwrap_or_else(|| panic!("no {words} in {calls}"));
    assert!(
        at("cloudformation deploy") < at(r#"{"setup": true}"#)
            && at(r#"{"setup": true}"#) < at(r#"{"probe": true}"#)
    );
    assert!(!calls.contains("sleep"), "{calls}");
    account.expect("scripts/aws/deploy", 0, "the user was made");
    assert_eq!(setups(), 1);

    // A refresh holds the lease for a while, or for good.
    let busy = r#"{"errorType": "Exit69", "errorMessage": "another program holds the lease state"}"#;
    fs::write(account.state("setup"), format!("{busy}\n").repeat(3)).unwrap();
    account.expect("scripts/aws/deploy", 0, "not yet: {\"errorType\": \"Exit69\"");
    assert_eq!((setups(), account.calls().matches("sleep 30").count()), (4, 3));
    fs::write(account.state("setup"), format!("{busy}\n").repeat(100)).unwrap();
    account.expect("scripts/aws/deploy", 69, "was not to be had for 20 minutes");
    assert_eq!(setups(), 40);
    assert!(!account.calls().contains("probe"), "{}", account.calls());

    // What stays is a person's turn at once.
    fs::write(account.state("setup"), "{\"outcome\":\"failed\",\"exit\":77,\"message\":\"Access denied\"}\n")
        .unwrap();
    let said = account.expect("scripts/aws/deploy", 77, "the database could not be set up");
    assert!(
        said.contains("Access denied") && said.contains("scripts/aws/logs get_new_eventlist_events_setup"),
        "{said}"
    );
    assert_eq!(setups(), 1);
    fs::write(account.state("no-setup"), "").unwrap();
    account.expect("scripts/aws/deploy", 69, "the-setup could not be started");
    assert_eq!(setups(), 1);
    fs::remove_file(account.state("no-setup")).unwrap();

    // A database of one's own is nobody else's business.
    fs::write(account.state("own-database"), "").unwrap();
    account.expect("scripts/aws/deploy", 0, "probe: from the function");
    assert_eq!(setups(), 0);
    assert!(!account.calls().contains("setup\": true"), "{}", account.calls());
}

#[test]
fn a_second_system_has_functions_of_its_own() {
    let account = Account::new();
    account.expect(&format!("{KEY} scripts/aws/deploy --stack football"), 0, "");
    let calls = account.calls();
    assert!(calls.contains("FunctionPrefix=football-"), "{calls}");
    assert!(calls.contains("--function-name football-get_new_eventlist_events"), "{calls}");
    assert!(!calls.contains("--function-name get_new"), "{calls}");
    account.expect("scripts/aws/logs predict --stack football", 0, "");
    assert!(account.calls().contains("ParameterKey=='FunctionPrefix'"), "{}", account.calls());
    account.expect(&format!("{KEY} scripts/aws/deploy"), 0, "");
    assert!(!account.calls().contains("FunctionPrefix=football"), "{}", account.calls());
}

#[test]
fn destroy_asks_and_logs_look_at_one_function() {
    let account = Account::new();
    account.expect(&format!("{KEY} scripts/aws/deploy"), 0, "");
    account.expect("echo other | scripts/aws/destroy", 1, "nothing was done");
    assert!(!account.calls().contains("delete-stack"));
    account.expect(
        "echo fairway | scripts/aws/destroy",
        0,
        "stays: the bucket fairway-123456789012-us-east-1",
    );
    assert!(
        account.calls().contains("delete-stack") && !account.calls().contains("s3 rb"),
        "{}",
        account.calls()
    );
    account.expect("scripts/aws/destroy", 0, "there is no stack");

    account.expect("scripts/aws/logs train_model --since 2h --follow", 0, "");
    assert_eq!(
        account.calls().trim(),
        "logs tail /aws/lambda/train_model --since 2h --format short --follow"
    );
    account.expect("scripts/aws/logs", 2, "of which function?");
    account.expect("scripts/aws/logs golf", 2, "the functions are");
    account.expect("scripts/aws/logs api --request 'x y'", 2, "no request's id");
}
