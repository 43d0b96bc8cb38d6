#![doc = include_str!("../README.md")]

pub mod chart;

use std::fmt::Write;

use failure::Outcome;
use model_file::Block;

use crate::chart::Axes;

/// A page that is being written.
#[derive(Debug, Default)]
pub struct Page {
    out: String,
}

/// Text as HTML shows it.
pub fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Up to four digits behind the point.
pub fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

impl Page {
    /// Begins a page; `lead` and the pairs of `facts` stand under the title. What is `code` among them is shown as such.
    pub fn new(title: &str, lead: &str, facts: &[(&str, String)]) -> Page {
        let facts = facts.iter().map(|(name, fact)| {
            let class = if *name == "sha256" { " class=\"code\"" } else { "" };
            format!("<dt>{}</dt><dd{class}>{}</dd>\n", html(name), html(fact))
        });
        let facts: String = facts.collect();
        let title = html(title);
        let mut page = Page::default();
        page.push(&format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n<main>\n<header>\n<h1>{title}</h1>\n\
             <p class=\"lead\">{}</p>\n<dl>\n{facts}</dl>\n</header>",
            html(lead)
        ));
        page
    }

    /// Ends the page.
    pub fn finish(mut self) -> String {
        self.out.push_str("</main>\n</html>\n");
        self.out
    }

    /// Adds HTML as it is.
    pub fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// Opens a section; whoever does closes it with `</section>`.
    pub fn heading(&mut self, title: &str, words: &str) {
        self.push(&format!("<section>\n<h2>{}</h2>\n<p>{}</p>", html(title), html(words)));
    }

    /// A table; the first cell of a row is its name, and the last one is text if `ends_in_words`.
    pub fn table(&mut self, header: &[&str], rows: &[(Vec<String>, bool)], ends_in_words: bool) {
        let cells: String =
            header.iter().map(|name| format!("<th scope=\"col\">{}</th>", html(name))).collect();
        let class = if ends_in_words { " class=\"words\"" } else { "" };
        let mut table =
            format!("<div class=\"wide\"><table{class}>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n");
        for (row, is_marked) in rows {
            let mark = if *is_marked { " class=\"chosen\"" } else { "" };
            let mut cells = row.iter();
            let first = cells
                .next()
                .map_or_else(String::new, |cell| format!("<th scope=\"row\">{}</th>", html(cell)));
            let rest: String = cells.map(|cell| format!("<td>{}</td>", html(cell))).collect();
            // Writing to a string never fails.
            let _ = writeln!(table, "<tr{mark}>{first}{rest}</tr>");
        }
        table.push_str("</tbody>\n</table></div>");
        self.push(&table);
    }

    /// The blocks of a walk forward: a table, and a picture of their errors beside the baseline's. `measure` is what the error is.
    pub fn blocks(&mut self, blocks: &[Block], measure: &str) -> Outcome {
        let header = ["block", "rows", measure, "baseline", "fitted on", "algorithm"];
        let row = |block: &Block| {
            let (rows, fitted) = (block.rows.to_string(), format!("{} rows", block.rows_fitted));
            let errors = [block.error, block.baseline].map(|error| figure(Some(error)));
            let cells = [&[block.name.clone(), rows], errors.as_slice(), &[fitted, block.chosen()]];
            (cells.concat(), false)
        };
        let rows: Vec<_> = blocks.iter().map(row).collect();
        self.table(&header, &rows, true);
        let names: Vec<String> = blocks.iter().map(|block| block.name.clone()).collect();
        let errors: Vec<f64> = blocks.iter().map(|block| block.error).collect();
        let baselines: Vec<f64> = blocks.iter().map(|block| block.baseline).collect();
        let axes = Axes {
            x: "block",
            y: measure,
            x_range: chart::range((0..blocks.len()).map(|at| at as f64)),
            y_range: chart::range(errors.iter().chain(&baselines).copied()),
        };
        let picture = chart::lines(&axes, &names, &[("model", errors), ("baseline", baselines)])?;
        self.pictures(&[("error of each block", picture)]);
        Ok(())
    }

    /// Pictures, SVG, with what stands under each.
    pub fn pictures(&mut self, pictures: &[(&str, String)]) {
        let figures: String = pictures
            .iter()
            .map(|(caption, svg)| {
                let svg =
                    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", html(caption)), 1);
                format!("<figure>{svg}<figcaption>{}</figcaption></figure>\n", html(caption))
            })
            .collect();
        self.push(&format!("<div class=\"pictures\">\n{figures}</div>"));
    }
}

/// Parts of points whose means are drawn.
const TENTHS: usize = 10;

/// Means of tenths of the points, in order of their first numbers.
pub fn tenths(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
    let size = points.len().div_ceil(TENTHS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let rows = part.len() as f64;
        (
            part.iter().map(|point| point.0).sum::<f64>() / rows,
            part.iter().map(|point| point.1).sum::<f64>() / rows,
        )
    };
    points.chunks(size).map(mean).collect()
}

const STYLE: &str = "\
:root{color-scheme:light}body,html{margin:0;background:#f4f5f7;color:#1c2430;font:16px/1.5 system-ui,sans-serif}\
main{max-width:1040px;margin:0 auto;padding:24px 16px 64px}header,section{background:#fff;border:1px solid #dfe3e8;border-radius:10px;padding:20px 24px;margin:0 0 20px}\
h1{font-size:1.6rem;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:0 0 4px}p{margin:0 0 12px;color:#4a5563}.lead{font-size:1.05rem}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0}dt{color:#4a5563}dd{margin:0;overflow-wrap:anywhere}.code{font-family:ui-monospace,monospace;font-size:.85rem}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}\
th,td{padding:4px 14px 4px 0;text-align:right;white-space:nowrap;border-bottom:1px solid #edf0f3}th[scope=row],thead th:first-child,.words td:last-child,.words thead th:last-child{text-align:left}\
thead th{color:#4a5563;font-weight:600}th[scope=row]{font-weight:400}tr.chosen th,tr.chosen td{font-weight:700;background:#eaf3fb}\
.bars .bar{width:320px;min-width:120px}.bar span{display:block;height:12px;border-radius:3px;background:#0072b2}.warnings li{color:#8a3b00}\
.pictures{display:flex;flex-wrap:wrap;gap:12px}figure{margin:0}figcaption{font-size:.85rem;color:#4a5563;text-align:center}figure svg{max-width:100%;height:auto}";
