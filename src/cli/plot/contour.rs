//! Lines of equal loss.

use maud::{Markup, html};

use super::{
    picture::{Field, Mark, Panel, shade},
    svg::{self, Anchor, Area, INK, PAPER, SMALL},
};

/// The lightest part of the scale of colours that is legible as a line on paper.
const LIGHTEST: f64 = 0.8;

/// How far labels are from the edges and from each other at least, in pixels.
const INSET: f64 = 26.0;
const APART: f64 = 30.0;

/// How far a mark's name is above it.
const ABOVE: f64 = 15.0;

/// A piece of a contour within one cell of the field.
type Piece = [(f64, f64); 2];

/// The contours of a panel's field, with their losses, and its marks.
pub fn markup(panel: &Panel, field: &Field, area: Area) -> Markup {
    let contours: Vec<Vec<Piece>> = field.levels.iter().map(|&level| pieces(field, area, level)).collect();
    let marks = field.marks.iter().map(|mark| (mark, panel.place(area, mark.at)));
    let marks: Vec<(&Mark, (f64, f64))> = marks.collect();
    let labels = labels(&contours, &marks, area);
    html! {
        @for (index, (pieces, level)) in contours.iter().zip(&field.levels).enumerate() {
            @let colour = shade(LIGHTEST * index as f64 / field.levels.len() as f64);
            @if !pieces.is_empty() {
                g {
                    title { "loss " (level) }
                    path d=(path(pieces)) fill="none" stroke=(colour) stroke-width="1.6" stroke-linecap="round" {}
                }
            }
        }
        @for (level, place) in field.levels.iter().zip(labels) {
            @if let Some((x, y)) = place {
                (plate((x, y), &level.to_string()))
            }
        }
        @for (mark, (x, y)) in &marks {
            circle cx=(svg::px(*x)) cy=(svg::px(*y)) r="4.5" fill=(INK) stroke=(PAPER) stroke-width="1.5" {}
            (plate((*x, y - ABOVE), mark.label))
        }
    }
}

/// Where the contour of a level crosses the cells of the field, on the sheet.
fn pieces(field: &Field, area: Area, level: f64) -> Vec<Piece> {
    let last = field.samples - 1;
    let at = |column: usize, row: usize| field.values[row * field.samples + column];
    let place = |x: f64, y: f64| area.point(x / last as f64, y / last as f64);
    let mut pieces = Vec::new();
    for row in 0..last {
        for column in 0..last {
            // The corners of the cell, around it.
            let corners = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(right, up)| (column + right, row + up));
            let values = corners.map(|(column, row)| at(column, row));
            let crossings: Vec<(f64, f64)> = (0..4)
                .filter(|&from| (values[from] < level) != (values[(from + 1) % 4] < level))
                .map(|from| {
                    let to = (from + 1) % 4;
                    let part = (level - values[from]) / (values[to] - values[from]);
                    let between = |from: usize, to: usize| from as f64 + part * (to as f64 - from as f64);
                    place(between(corners[from].0, corners[to].0), between(corners[from].1, corners[to].1))
                })
                .collect();
            match crossings[..] {
                [a, b] => pieces.push([a, b]),
                // A saddle: the middle of the cell says which corners belong together.
                [a, b, c, d] => {
                    let middle = values.iter().sum::<f64>() / 4.0;
                    let joined = (middle < level) == (values[0] < level);
                    pieces.extend(if joined { [[a, b], [c, d]] } else { [[d, a], [b, c]] });
                }
                _ => {}
            }
        }
    }
    pieces
}

/// Where each contour has its label: away from the edges, marks and other labels; nowhere if there is no room.
fn labels(contours: &[Vec<Piece>], marks: &[(&Mark, (f64, f64))], area: Area) -> Vec<Option<(f64, f64)>> {
    let mut taken: Vec<(f64, f64)> = marks.iter().map(|&(_, (x, y))| (x, y - ABOVE)).collect();
    let is_inside = |&(x, y): &(f64, f64)| {
        x.clamp(area.left + INSET, area.right - INSET) == x && y.clamp(area.top + INSET, area.bottom - INSET) == y
    };
    let mut place = |pieces: &Vec<Piece>| {
        let room = |&(x, y): &(f64, f64)| {
            taken.iter().map(|other| (x - other.0).hypot(y - other.1)).fold(f64::INFINITY, f64::min)
        };
        let middles = pieces.iter().map(|[a, b]| ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0)).filter(is_inside);
        let best = middles.max_by(|a, b| room(a).total_cmp(&room(b))).filter(|best| room(best) > APART);
        taken.extend(best);
        best
    };
    contours.iter().map(&mut place).collect()
}

/// A text with its middle on a point, and nothing behind it.
fn plate((x, y): (f64, f64), content: &str) -> Markup {
    let (width, height) = (svg::width_of(content, SMALL) + 4.0, SMALL + 3.0);
    let (left, top) = (svg::px(x - width / 2.0), svg::px(y - height / 2.0));
    html! {
        rect x=(left) y=(top) width=(svg::px(width)) height=(height) rx="2" fill=(PAPER) {}
        (svg::text((x, y + 4.0), Anchor::Middle, SMALL, INK, content))
    }
}

fn path(pieces: &[Piece]) -> String {
    pieces.iter().map(|[a, b]| format!("M{:.1} {:.1}L{:.1} {:.1}", a.0, a.1, b.0, b.1)).collect()
}
