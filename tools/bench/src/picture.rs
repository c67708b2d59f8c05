//! The figures as a picture: horizontal bars in SVG, drawn by hand so that it is the same everywhere.

use std::fmt::Write as _;

/// Bars that are compared with each other.
pub(crate) struct Group {
    pub(crate) name: String,
    /// Who, and how much.
    pub(crate) bars: Vec<(String, f64)>,
}

/// Groups of bars on one scale.
pub(crate) struct Panel {
    pub(crate) title: String,
    /// Digits behind the point.
    pub(crate) digits: usize,
    pub(crate) groups: Vec<Group>,
}

const WIDTH: f64 = 860.0;
const LABELS: f64 = 330.0;
const BAR: f64 = 14.0;
const GAP: f64 = 10.0;
const TITLE: f64 = 34.0;
/// Room behind the longest bar for its figure.
const FIGURES: f64 = 60.0;
/// One for each place within a group; readable on light and dark pages.
const COLOURS: [&str; 4] = ["#1f77b4", "#e08214", "#7f7f7f", "#2a9d5c"];

/// Draws panels one below the other.
pub(crate) fn draw(panels: &[Panel]) -> String {
    let mut body = String::new();
    let mut y = 0.0;
    for panel in panels {
        y = panel.draw(&mut body, y);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

impl Panel {
    /// Draws from `top` on; gives where it ends.
    fn draw(&self, out: &mut String, top: f64) -> f64 {
        let values = self.groups.iter().flat_map(|group| group.bars.iter().map(|(_, value)| *value));
        let scale = (WIDTH - LABELS - FIGURES) / values.fold(f64::MIN_POSITIVE, f64::max);
        let mut y = top + TITLE;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<text x=\"8\" y=\"{}\" font-size=\"14\" font-weight=\"bold\">{}</text>",
            y - 12.0,
            escaped(&self.title)
        );
        for group in &self.groups {
            let _ = writeln!(out, "<text x=\"8\" y=\"{}\">{}</text>", y + BAR - 3.0, escaped(&group.name));
            for (place, (name, value)) in group.bars.iter().enumerate() {
                let (colour, length) = (COLOURS[place % COLOURS.len()], value * scale);
                let _ = writeln!(
                    out,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#555\">{}</text>\
                     <rect x=\"{LABELS}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\
                     <text x=\"{:.1}\" y=\"{}\">{value:.*}</text>",
                    LABELS - 6.0,
                    y + BAR - 3.0,
                    escaped(name),
                    BAR - 2.0,
                    LABELS + length + 5.0,
                    y + BAR - 3.0,
                    self.digits
                );
                y += BAR;
            }
            y += GAP;
        }
        y
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fits_and_text_is_escaped() {
        let bars = vec![("a<b".to_owned(), 2.0), ("c".to_owned(), 4.0)];
        let groups = vec![Group { name: "x & y".to_owned(), bars }];
        let svg = draw(&[Panel { title: "GB/s".to_owned(), digits: 2, groups }]);
        assert!(svg.contains("x &amp; y") && svg.contains("a&lt;b") && svg.contains(">4.00<"));
        let longest = format!("width=\"{:.1}\"", WIDTH - LABELS - FIGURES);
        assert!(svg.contains(&longest) && svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}
