//! `model` through its real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Session, repo};

/// A recipe whose words try to get code into the page.
fn recipe(target: &str, candidates: &str) -> String {
    format!(
        "[recipe]\nname = \"line\"\ndescription = \"<script>alert(1)</script> & more\"\n[keys]\ncolumns = [\"g\", \"row\"]\nrow = [\"row\"]\n\
         [columns.g]\ntype = \"integer\"\n[columns.row]\ntype = \"integer\"\n\
         [columns.x]\ntype = \"number\"\nunit = \"<b>m</b>\"\n[columns.z]\ntype = \"number\"\n[columns.t]\ntype = \"text\"\n\
         [columns.y]\ntype = \"number\"\n[columns.c]\ntype = \"text\"\n[features]\ncolumns = [\"x\", \"z\", \"t\"]\n\
         [target]\n{target}\n[split]\nby = [\"g\"]\nholdout = 0.3\n{candidates}"
    )
}

const NUMBERS: &str = "[[candidates]]\nalgorithm = \"mean\"\n[[candidates]]\nalgorithm = \"linear\"\n\
    [[candidates]]\nalgorithm = \"boosted_trees\"\ntrees = 20\n";

/// `y` is three times `x` and a little of `t`; `z` says nothing; `c` is whether that is much.
fn session() -> Session {
    let session = Session::new();
    let row = |i: u64| {
        let (x, z, noise) = (i * 37 % 101, i * 53 % 89, i * 7_919 % 23);
        let text = ["<i>", "b", "c"][(i * 11 % 7 % 3) as usize];
        let y = 3 * x + noise + if text == "b" { 40 } else { 0 };
        format!("{},{i},{x},{z},{text},{y},{}\n", i / 10, if y > 170 { "much" } else { "little" })
    };
    session.file("in.csv", format!("g,row,x,z,t,y,c\n{}", (0..800).map(row).collect::<String>()));
    session.file("r.toml", recipe("column = \"y\"", NUMBERS));
    session.ok("fit --recipe r.toml in.csv > model.json");
    session.ok("fit --recipe r.toml --candidate boosted_trees in.csv > trees.json");
    session
}

#[test]
fn a_card_says_what_it_is_and_how_it_was_chosen() {
    let session = session();
    let card = session.ok("model show model.json");
    for words in [
        "line_",
        "predicts    y, a number",
        "algorithm   linear",
        "of 30 groups",
        "always the mean: RMSE",
        "RMSE in 5 folds",
        "boosted_trees",
        "<- the best",
        "<i>, b, c",
        "x t is \"b\"",
    ] {
        assert!(card.contains(words), "{words:?} is not in\n{card}");
    }
    for file in std::fs::read_dir(repo().join("fixtures/models")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            assert!(session.ok(&format!("model show {}", path.display())).lines().count() > 10);
        }
    }
    session.run("model show r.toml").expect(65).says("r.toml: not a model file");
    session.run("model show none.json").expect(74).says("none.json");
}

#[test]
fn two_models_differ_in_what_is_listed() {
    let session = session();
    assert_eq!(session.ok("model diff model.json model.json"), "the same model\n");
    let diff = session.ok("model diff model.json trees.json");
    assert!(diff.contains("algorithm\n  - linear\n  + boosted_trees, l2 1"), "{diff}");
    assert!(!diff.contains("features\n") && !diff.contains("data\n"), "{diff}");
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    let session = session();
    session.file(
        "c.toml",
        recipe(
            "column = \"c\"\ntask = \"classification\"",
            "[[candidates]]\nalgorithm = \"random_forest\"\ntrees = 10\n",
        ),
    );
    session.ok("fit --recipe c.toml in.csv > classes.json");
    for (model, pictures, words) in [
        ("model", 3 + 2, "Predicted and actual"),
        ("trees", 3 + 2, "Gain is the share"),
        ("classes", 1 + 2 + 2, "Confusion"),
    ] {
        let page = session.ok(&format!("model report {model}.json --rows in.csv"));
        assert_eq!(page.matches("<svg ").count(), pictures, "{model}");
        assert!(
            page.contains(words) && page.contains("What matters") && page.contains("<h1>line_"),
            "{model}"
        );
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"),
            "{model}: the description is escaped"
        );
        assert!(
            !page.contains("<script") && !page.contains("<i>") && !page.contains("<b>m"),
            "{model}: code got in"
        );
        // Nothing is loaded from elsewhere: the one address names SVG's language.
        let addresses = page.matches("http").count();
        assert_eq!(addresses, page.matches("http://www.w3.org/2000/svg").count(), "{model}");
        assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("@import"), "{model}");
        assert_eq!(page.matches("<section>").count(), page.matches("</section>").count(), "{model}");
        let again = session.ok(&format!("RAYON_NUM_THREADS=1 model report {model}.json --rows in.csv"));
        assert!(again == page, "{model}: other bytes on one thread");
    }
    // The feature that the answer is made of comes first, the one that says nothing last.
    let page = session.ok("model report trees.json --rows in.csv");
    let matters = page.split("What matters").nth(1).unwrap();
    let at = |name: &str| matters.find(&format!("<th scope=\"row\">{name}</th>")).unwrap();
    assert!(at("x") < at("t") && at("t") < at("z"));

    session
        .run("head -n 1 in.csv > none.csv; model report model.json --rows none.csv")
        .expect(65)
        .says("no row to score");
    session
        .run("cut -d, -f1-6 in.csv > short.csv; model report classes.json --rows short.csv")
        .expect(65)
        .says("no column \"c\"");
    session.run("model report model.json").expect(2);
}

#[test]
fn a_forged_model_of_huge_numbers_is_drawn_and_its_intervals_have_ends() {
    let session = session();
    // Sealed anew, as somebody does it who knows the format: a digest of the text without its spaces holds.
    session.file(
        "forge.py",
        "import hashlib, json\n\
         body = json.load(open('model.json'))['body']\nhuge = 1.5e308\n\
         body['predictions'].update(edges=[-huge, 0, huge], counts=[400, 400])\n\
         body['histograms'][0].update(edges=[-huge, -1, 1, huge], counts=[1, 2, 3])\n\
         body['features'][0].update(min=-huge, max=huge)\n\
         body['intervals'] = dict(coverage=0.9, half_width=1.7e308, rows=100, rows_measured=100, measured=0.9)\n\
         body['algorithm'] = dict(name='mean', value=1.5e308)\n\
         for check in body['checks']: check['prediction'] = 1.5e308\n\
         text = json.dumps(body, separators=(',', ':'))\n\
         sha256 = hashlib.sha256(text.encode()).hexdigest()\n\
         open('forged.json', 'w').write('{\"format\":\"fairway.model/4\",\"sha256\":\"%s\",\"body\":%s}' % (sha256, text))\n",
    );
    session.ok("python3 forge.py");
    let page = session.ok("timeout 60 model report forged.json --rows in.csv");
    assert!(page.len() < 2_000_000 && page.contains("</html>"), "{} bytes", page.len());
    session.ok("timeout 60 model show forged.json");
    let rows = session.ok("predict --model forged.json --interval in.csv");
    let last = rows.lines().last().unwrap();
    assert!(last.ends_with(",1.7976931348623157e+308"), "{last}");
    assert!(!rows.contains("inf") && !rows.contains("NaN"), "{last}");
    session.run("timeout 60 drift --model forged.json in.csv > drift.csv || [ $? -eq 1 ]").expect(0);
}
