"""Uses predictd's page as a person would, in headless Chromium.

    tests/page/check.py target/release/predictd [FOLDER]

Pictures at the width of a desk and of a phone go to the folder.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

MODELS = pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "models"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
)


class Server:
    """A predictd on a free port, until the end of a `with`."""

    def __init__(self, program, *arguments):
        self.command = [program, "--listen", "127.0.0.1:0", *arguments]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r" on (http://\S+)", line):
                self.url = found.group(1)
                return self
        raise SystemExit(f"{self.command} did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def ask(self, path, body=None, headers=None):
        headers = {"content-type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.url + path, body and json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            text = answer.read().decode()
        return json.loads(text) if answer.headers["content-type"].startswith("application/json") else text


def browse(url, size):
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tempfile.mkdtemp()}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    # The window of a phone is narrower than Chromium's smallest.
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(url)
    return browser


def until(browser, what, is_so):
    # The page may draw itself anew between finding a part of it and reading that.
    waiting = WebDriverWait(browser, 60, poll_frequency=0.05, ignored_exceptions=[StaleElementReferenceException])
    waiting.until(lambda _: is_so(), f"in vain: {what}")


def text(browser, name):
    return browser.find_element(By.ID, name).text


def shown(browser):
    """The fields as the page would send them."""
    return json.loads(re.search(r"--json '(.*)' http", text(browser, "curl")).group(1))


def picture(browser, folder, name):
    if folder:
        metrics = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": metrics["width"], "height": metrics["height"], "scale": 1}
        options = {"captureBeyondViewport": True, "clip": clip}
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
        (folder / f"{name}.png").write_bytes(__import__("base64").b64decode(shot))


def no_complaints(browser, but=""):
    said = [line["message"] for line in browser.get_log("browser") if not but or but not in line["message"]]
    assert not said, said


def every_control_has_a_name(browser):
    """As a screen reader would say it; Chromium works names out by the rules for them."""
    browser.execute_cdp_cmd("Accessibility.enable", {})
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"slider", "spinbutton", "combobox", "button", "checkbox", "textbox"}
    controls = [node for node in nodes if node.get("role", {}).get("value") in roles and not node["ignored"]]
    nameless = [node["role"]["value"] for node in controls if not node.get("name", {}).get("value")]
    assert controls and not nameless, nameless


def numbers(program, folder):
    """A model of numbers: sliders, fields, bars, what lies beyond the training rows, curl."""
    with Server(program, "--model", MODELS / "fairway-model-3-boosted_trees.json") as server:
        card = server.ask("/model")
        target, features = card["target"]["name"], card["features"]
        for name, size in (("desk", (1280, 900)), ("phone", (390, 844))):
            browser = browse(server.url, size)
            until(browser, "a prediction", lambda: text(browser, "number"))
            assert len(browser.find_elements(By.CSS_SELECTOR, "#fields .field")) == len(features)
            for feature in features:
                assert f"{feature['name']} ({feature['unit']})" in text(browser, "fields"), feature
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= size[0], f"{wide} pixels on a screen of {size[0]}"
            every_control_has_a_name(browser)

            def agrees():
                answer = server.ask("/predict?explain=true&trial=true", shown(browser))
                bars = browser.find_elements(By.CSS_SELECTOR, "#bars tbody th")
                parts = answer["contributions"].items()
                largest = max(parts, key=lambda part: abs(part[1]))[0]
                said = float(text(browser, "number"))
                return abs(said - answer[target]) < 0.01 and len(bars) == len(features) and bars[0].text == largest

            until(browser, "the page's numbers are the server's", agrees)
            # By the keyboard alone: from the first field's label on.
            slider = browser.find_element(By.CSS_SELECTOR, "#fields input[type=range]")
            before = shown(browser)
            slider.send_keys(Keys.PAGE_UP * 8)
            first = features[0]["name"]
            until(browser, "the slider moves the field", lambda: shown(browser)[first] > before[first])
            until(browser, "and the prediction follows", agrees)
            # A number beyond what the model saw.
            number = browser.find_element(By.ID, "field-0")
            number.send_keys(Keys.CONTROL + "a")
            number.send_keys(str(features[0]["max"] + 100))
            until(browser, "it is said", lambda: first in text(browser, "outside"))
            until(browser, "and answered", agrees)
            picture(browser, folder, name)
            number.send_keys(Keys.CONTROL + "a" + Keys.DELETE)
            until(browser, "what is missing is named", lambda: first in text(browser, "trouble"))
            no_complaints(browser, "422")
            number.send_keys("1")
            until(browser, "the trouble is over", lambda: not text(browser, "trouble"))
            # What is copied can be run.
            command = text(browser, "curl")
            said = json.loads(subprocess.run(command, shell=True, check=True, capture_output=True).stdout)
            assert abs(said[target] - float(text(browser, "number"))) < 0.01, said
            browser.find_element(By.ID, "copy").click()
            until(browser, "something is said of the copy", lambda: text(browser, "copied"))
            browser.quit()
        # The page's own questions are no predictions; those of curl are, one at each width.
        assert f'predictd_predictions_total{{name="",model="{card["id"]}"}} 2\n' in server.ask("/metrics")


def classes(program, folder):
    """Several models, one of classes with texts; a model that another one replaces under the page."""
    with tempfile.TemporaryDirectory() as place:
        moving = pathlib.Path(place) / "model.json"
        moving.write_bytes((MODELS / "fairway-model-3-ridge.json").read_bytes())
        many = MODELS / "fairway-model-3-boosted_trees-3-classes.json"
        with Server(program, "--model", f"one={moving}", "--model", f"two={many}", "--poll", "0.1") as server:
            browser = browse(server.url, (1280, 900))
            until(browser, "a prediction", lambda: text(browser, "number"))
            model = server.ask("/model/one")["id"]
            # Written beside it and moved there: the server never sees half of it.
            beside = pathlib.Path(place) / "beside.json"
            beside.write_bytes((MODELS / "fairway-model-3-lasso.json").read_bytes())
            os.replace(beside, moving)
            until(browser, "the swap", lambda: server.ask("/model/one")["id"] != model)
            model = server.ask("/model/one")["id"]
            browser.find_element(By.ID, "field-0").send_keys(Keys.ARROW_UP)
            until(browser, "the new model's card", lambda: model in text(browser, "card"))
            browser.find_element(By.CSS_SELECTOR, "#name option[value=two]").click()
            card = server.ask("/model/two")
            until(browser, "the other model", lambda: card["id"] in text(browser, "card"))
            until(browser, "its classes", lambda: text(browser, "probabilities"))
            answer = server.ask("/predict/two?trial=true", shown(browser))
            assert text(browser, "number") == answer[card["target"]["name"]], answer
            every_control_has_a_name(browser)
            picture(browser, folder, "classes")
            no_complaints(browser)
            browser.quit()


def keys(program):
    """Without a key nothing is shown; with one everything is."""
    with tempfile.TemporaryDirectory() as place:
        ring = os.path.join(place, "keys.json")
        made = subprocess.run([program, "keys", "create", "me", "--keys", ring], check=True, capture_output=True, text=True)
        with Server(program, "--model", MODELS / "fairway-model-1-linear.json", "--keys", ring) as server:
            browser = browse(server.url, (1280, 900))
            until(browser, "the question for a key", lambda: browser.find_element(By.ID, "key").is_displayed())
            assert not browser.find_element(By.ID, "main").is_displayed()
            browser.find_element(By.ID, "key").send_keys("wrong.key" + Keys.ENTER)
            until(browser, "it is refused", lambda: "opens nothing" in text(browser, "trouble"))
            browser.find_element(By.ID, "key").clear()
            browser.find_element(By.ID, "key").send_keys(made.stdout.strip() + Keys.ENTER)
            until(browser, "a prediction", lambda: text(browser, "number"))
            assert made.stdout.strip() not in browser.page_source, "the key is shown"
            no_complaints(browser, "401")
            browser.quit()


def main():
    program = os.path.abspath(sys.argv[1])
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    numbers(program, folder)
    classes(program, folder)
    keys(program)
    print(f"page: used at two widths, with classes and with keys in {time.monotonic() - began:.0f} s")


main()
