//! Pictures as SVG, drawn by `plotters`.

use std::ops::Range;

use failure::{Failure, Outcome};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const SIZE: (u32, u32) = (480, 340);
const SMALL: (u32, u32) = (300, 210);

/// Distinguishable by the colour-blind (Okabe and Ito).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const GREY: RGBColor = RGBColor(140, 140, 140);

/// A picture of something over something.
#[derive(Clone, Debug)]
pub struct Axes<'a> {
    /// What stands under the picture.
    pub x: &'a str,
    /// What stands beside it.
    pub y: &'a str,
    /// From left to right.
    pub x_range: Range<f64>,
    /// From below to above.
    pub y_range: Range<f64>,
}

/// What is larger is not drawn.
const LARGEST: f64 = 1e150;

/// Both ends, and a little more; never empty.
pub fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| value.is_finite()) {
        low = low.min(value);
        high = high.max(value);
    }
    // Nothing finite, or more than can be drawn: between ticks there would be no doubles, and no end of them.
    if low > high || low < -LARGEST || high > LARGEST {
        return 0.0..1.0;
    }
    let more = if high > low { 0.04 * (high - low) } else { 0.5 * low.abs().max(1.0) };
    low - more..high + more
}

type Drawing<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

fn draw(size: (u32, u32), picture: impl FnOnce(&Drawing<'_>) -> Result<(), String>) -> Outcome<String> {
    let mut svg = String::new();
    {
        let drawing = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        picture(&drawing)
            .and_then(|()| drawing.present().map_err(|error| error.to_string()))
            .map_err(|error| Failure::data(format!("a picture cannot be drawn: {error}")))?;
    }
    Ok(svg)
}

fn axes<'a, 'b>(drawing: &'a Drawing<'b>, axes: &Axes<'_>, is_small: bool) -> Result<Chart<'a, 'b>, String> {
    named_axes(drawing, axes, is_small, if is_small { 4 } else { 7 }, &|value| label(*value))
}

/// Axes, of which the one below has so many names, each made of a place on it.
fn named_axes<'a, 'b>(
    drawing: &'a Drawing<'b>,
    axes: &Axes<'_>,
    is_small: bool,
    names: usize,
    name: &dyn Fn(&f64) -> String,
) -> Result<Chart<'a, 'b>, String> {
    let font = if is_small { 11 } else { 13 };
    let mut chart = ChartBuilder::on(drawing)
        .margin(8)
        .x_label_area_size(if is_small { 34 } else { 42 })
        .y_label_area_size(if is_small { 46 } else { 58 })
        .build_cartesian_2d(axes.x_range.clone(), axes.y_range.clone())
        .map_err(|error| error.to_string())?;
    chart
        .configure_mesh()
        .x_desc(axes.x)
        .y_desc(axes.y)
        .x_labels(names)
        .y_labels(if is_small { 4 } else { 7 })
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.25))
        .label_style(("sans-serif", font))
        .x_label_formatter(&name)
        .y_label_formatter(&|value| label(*value))
        .draw()
        .map_err(|error| error.to_string())?;
    Ok(chart)
}

/// A number as short as it can be read.
pub fn label(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Points, and the line on which both axes say the same.
pub fn scatter(wanted: &Axes<'_>, points: &[(f64, f64)]) -> Outcome<String> {
    draw(SIZE, |drawing| {
        let mut chart = axes(drawing, wanted, false)?;
        let dots = points.iter().map(|point| Circle::new(*point, 2, BLUE.mix(0.35).filled()));
        chart.draw_series(dots).map_err(|error| error.to_string())?;
        diagonal(&mut chart, wanted)
    })
}

fn diagonal(chart: &mut Chart<'_, '_>, wanted: &Axes<'_>) -> Result<(), String> {
    let low = wanted.x_range.start.max(wanted.y_range.start);
    let high = wanted.x_range.end.min(wanted.y_range.end);
    let line = LineSeries::new([(low, low), (high, high)], ORANGE.stroke_width(2));
    chart.draw_series(line).map(|_| ()).map_err(|error| error.to_string())
}

/// Points with bars from low to high, and the line on which both axes say the same.
pub fn calibration(wanted: &Axes<'_>, points: &[(f64, f64)]) -> Outcome<String> {
    draw(SIZE, |drawing| {
        let mut chart = axes(drawing, wanted, false)?;
        diagonal(&mut chart, wanted)?;
        let line = LineSeries::new(points.iter().copied(), BLUE.stroke_width(2));
        chart.draw_series(line).map_err(|error| error.to_string())?;
        let dots = points.iter().map(|point| Circle::new(*point, 4, BLUE.filled()));
        chart.draw_series(dots).map(|_| ()).map_err(|error| error.to_string())
    })
}

/// Counts between edges.
pub fn histogram(wanted: &Axes<'_>, bars: &[(f64, f64, f64)]) -> Outcome<String> {
    draw(SIZE, |drawing| {
        let mut chart = axes(drawing, wanted, false)?;
        let bars = bars.iter().map(|(from, to, count)| {
            let mut bar = Rectangle::new([(*from, 0.0), (*to, *count)], BLUE.mix(0.7).filled());
            bar.set_margin(0, 0, 0, 1);
            bar
        });
        chart.draw_series(bars).map(|_| ()).map_err(|error| error.to_string())
    })
}

/// Shares in cells, the larger the darker, each with its figure in per cent: `shares` row by row from below, `names` of both sides' places,
/// which count from 0. `darkest` is the share that is drawn with the full colour.
pub fn heat(x: &str, y: &str, names: &[String], shares: &[f64], darkest: f64) -> Outcome<String> {
    let places = names.len();
    let end = places as f64 - 0.5;
    let wanted = Axes { x, y, x_range: -0.5..end, y_range: -0.5..end };
    draw(SIZE, |drawing| {
        let name = |value: &f64| name_of(names, *value);
        let mut chart = ChartBuilder::on(drawing)
            .margin(8)
            .x_label_area_size(42)
            .y_label_area_size(58)
            .build_cartesian_2d(wanted.x_range.clone(), wanted.y_range.clone())
            .map_err(|error| error.to_string())?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc(wanted.x)
            .y_desc(wanted.y)
            .x_labels(2 * places)
            .y_labels(2 * places)
            .label_style(("sans-serif", 13))
            .x_label_formatter(&name)
            .y_label_formatter(&name)
            .draw()
            .map_err(|error| error.to_string())?;
        let corner = |at: usize| (at as f64 - 0.5, at as f64 + 0.5);
        let cell = |(at, share): (usize, &f64)| {
            let ((left, right), (low, high)) = (corner(at % places), corner(at / places));
            let colour = BLUE.mix((share / darkest).clamp(0.0, 1.0));
            Rectangle::new([(left, low), (right, high)], colour.filled())
        };
        chart.draw_series(shares.iter().enumerate().map(cell)).map_err(|error| error.to_string())?;
        let figure = |(at, share): (usize, &f64)| {
            let colour = if *share > 0.6 * darkest { WHITE } else { BLACK };
            let style =
                ("sans-serif", 13).into_font().color(&colour).pos(Pos::new(HPos::Center, VPos::Center));
            Text::new(format!("{:.1}", 100.0 * share), ((at % places) as f64, (at / places) as f64), style)
        };
        chart
            .draw_series(shares.iter().enumerate().map(figure))
            .map(|_| ())
            .map_err(|error| error.to_string())
    })
}

/// A line, small: many of them stand side by side.
pub fn line(wanted: &Axes<'_>, points: &[(f64, f64)]) -> Outcome<String> {
    draw(SMALL, |drawing| {
        let mut chart = axes(drawing, wanted, true)?;
        let line = LineSeries::new(points.iter().copied(), BLUE.stroke_width(2));
        chart.draw_series(line).map(|_| ()).map_err(|error| error.to_string())
    })
}

/// Lines over the same places, each in a colour of its own, with a point at each place: `names` are the places', which count
/// from 0. The first line is drawn last.
pub fn lines(wanted: &Axes<'_>, names: &[String], lines: &[(&str, Vec<f64>)]) -> Outcome<String> {
    // Above the lines there is room for their names.
    let (low, high) = (wanted.y_range.start, wanted.y_range.end);
    let wanted = Axes { y_range: low..high + 0.3 * (high - low), ..wanted.clone() };
    draw(SIZE, |drawing| {
        let names_below = names.len().min(8);
        let mut chart = named_axes(drawing, &wanted, false, names_below, &|value| name_of(names, *value))?;
        for ((name, values), colour) in lines.iter().zip([BLUE, ORANGE, GREY]).rev() {
            let points = values.iter().enumerate().filter(|(_, value)| value.is_finite());
            let points: Vec<(f64, f64)> = points.map(|(at, value)| (at as f64, *value)).collect();
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
            let series = chart.draw_series(line).map_err(|error| error.to_string())?;
            series
                .label(*name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .label_font(("sans-serif", 13))
            .position(SeriesLabelPosition::UpperRight)
            .draw()
            .map_err(|error| error.to_string())
    })
}

/// The name of a place, where there is one.
fn name_of(names: &[String], value: f64) -> String {
    let place = value.round();
    match (value - place).abs() < 1e-9 && place >= 0.0 {
        true => names.get(place as usize).cloned().unwrap_or_default(),
        false => String::new(),
    }
}
