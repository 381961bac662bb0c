//! A loss as a surface over its two parameters, seen from above at an angle.

use maud::{Markup, html};

use super::{
    picture::{Field, Panel, shade},
    svg::{self, Anchor, Area, FRAME, GRID, INK, MUTED, SMALL},
};

/// How far the surface is turned, and how steeply it is looked down on, in radians.
const TURN: f64 = 0.6;
const TILT: f64 = 0.62;

/// The height of the highest value, as a part of the length of an axis.
const HEIGHT: f64 = 0.62;

/// The distance of ticks' labels and of axes' labels from their edges, as parts of the length of an axis.
const TICK_GAP: f64 = 0.09;
const LABEL_GAP: f64 = 0.24;

/// Faces along either axis, at most.
const FACES: usize = 40;

/// The point of view: where on the sheet is what is at (u, v, h), each from 0 to 1.
struct View {
    origin: (f64, f64),
    scale: f64,
}

impl View {
    /// The view in which all of these points fill an area.
    fn filling(area: Area, points: impl Iterator<Item = (f64, f64, f64)>) -> Self {
        let plain = View { origin: (0.0, 0.0), scale: 1.0 };
        let nothing = Area { left: f64::MAX, top: f64::MAX, right: f64::MIN, bottom: f64::MIN };
        let bounds = points.map(|(u, v, h)| plain.place(u, v, h)).fold(nothing, |bounds, (x, y)| Area {
            left: bounds.left.min(x),
            top: bounds.top.min(y),
            right: bounds.right.max(x),
            bottom: bounds.bottom.max(y),
        });
        let scale = (area.width() / bounds.width()).min(area.height() / bounds.height());
        let middle = |from: f64, to: f64| (from + to) / 2.0;
        let origin = (
            middle(area.left, area.right) - scale * middle(bounds.left, bounds.right),
            middle(area.top, area.bottom) - scale * middle(bounds.top, bounds.bottom),
        );
        View { origin, scale }
    }

    /// How far away a point of the floor is.
    fn depth(u: f64, v: f64) -> f64 {
        u * TURN.sin() + v * TURN.cos()
    }

    fn place(&self, u: f64, v: f64, h: f64) -> (f64, f64) {
        let across = u * TURN.cos() - v * TURN.sin();
        let up = Self::depth(u, v) * TILT.sin() + HEIGHT * h * TILT.cos();
        (self.origin.0 + self.scale * across, self.origin.1 - self.scale * up)
    }
}

/// The surface of a panel's field with its three axes. Heights are roots of losses, which shows valleys beside walls.
pub fn markup(panel: &Panel, field: &Field, area: Area) -> Markup {
    let highest = field.values.iter().copied().fold(0.0, f64::max);
    let height = |value: f64| (value.max(0.0) / highest).sqrt();
    let part = |index: usize| index as f64 / (field.samples - 1) as f64;
    let surface = field
        .values
        .iter()
        .enumerate()
        .map(|(index, &value)| (part(index % field.samples), part(index / field.samples), height(value)));
    let axes = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 1.0, 1.0)];
    let view = View::filling(area, surface.chain(axes));
    html! {
        (floor(panel, &view))
        (heights(field, &view, &height))
        g stroke-width="0.6" stroke-linejoin="round" {
            @for face in faces(field, &view, &height) {
                path d=(face.path) fill=(shade(face.height)) stroke=(shade(0.75 * face.height)) {}
            }
        }
    }
}

/// A piece of the surface.
struct Face {
    depth: f64,
    height: f64,
    path: String,
}

/// The pieces, the farthest first.
fn faces(field: &Field, view: &View, height: &dyn Fn(f64) -> f64) -> Vec<Face> {
    let last = field.samples - 1;
    let step = last.div_ceil(FACES);
    let face = |(column, row): (usize, usize)| {
        let corners = [(0, 0), (step, 0), (step, step), (0, step)];
        let corners = corners.map(|(right, up)| ((column + right).min(last), (row + up).min(last)));
        let heights = corners.map(|(column, row)| height(field.values[row * field.samples + column]));
        let part = |index: usize| index as f64 / last as f64;
        let points: Vec<String> = corners
            .iter()
            .zip(heights)
            .map(|(&(column, row), height)| {
                let (x, y) = view.place(part(column), part(row), height);
                format!("{x:.1} {y:.1}")
            })
            .collect();
        let depth = View::depth(part(column), part(row));
        Face { depth, height: heights.iter().sum::<f64>() / 4.0, path: format!("M{}Z", points.join("L")) }
    };
    let starts = || (0..last).step_by(step);
    let mut faces: Vec<Face> = starts().flat_map(|row| starts().map(move |column| (column, row))).map(face).collect();
    faces.sort_by(|a, b| b.depth.total_cmp(&a.depth));
    faces
}

/// The floor's grid, and the two axes at its near edges.
fn floor(panel: &Panel, view: &View) -> Markup {
    const FEW: usize = 5;
    let [x_ticks, y_ticks] = [&panel.x, &panel.y].map(|axis| axis.ticks(FEW));
    html! {
        @for (tick, label) in &x_ticks {
            @let u = panel.x.at(*tick);
            (svg::line(view.place(u, 0.0, 0.0), view.place(u, 1.0, 0.0), GRID))
            (svg::text(below(view.place(u, -TICK_GAP, 0.0)), Anchor::Middle, SMALL, MUTED, label))
        }
        @for (tick, label) in &y_ticks {
            @let v = panel.y.at(*tick);
            (svg::line(view.place(0.0, v, 0.0), view.place(1.0, v, 0.0), GRID))
            (svg::text(below(view.place(-TICK_GAP, v, 0.0)), Anchor::Middle, SMALL, MUTED, label))
        }
        (svg::line(view.place(0.0, 0.0, 0.0), view.place(1.0, 0.0, 0.0), FRAME))
        (svg::line(view.place(0.0, 0.0, 0.0), view.place(0.0, 1.0, 0.0), FRAME))
        (svg::text(below(view.place(0.5, -LABEL_GAP, 0.0)), Anchor::Start, 13.0, INK, &panel.x.label))
        (svg::text(below(view.place(-LABEL_GAP, 0.5, 0.0)), Anchor::End, 13.0, INK, &panel.y.label))
    }
}

/// The axis of losses at the leftmost corner.
fn heights(field: &Field, view: &View, height: &dyn Fn(f64) -> f64) -> Markup {
    /// Labels are this far apart, as a part of the axis.
    const APART: f64 = 0.12;
    // The floor has labels of its own.
    let mut last = 0.0;
    let is_apart = |&level: &f64| {
        let fits = height(level) <= 1.0 && height(level) - last >= APART;
        if fits {
            last = height(level);
        }
        fits
    };
    let levels: Vec<f64> = field.levels.iter().copied().filter(is_apart).collect();
    let top = view.place(0.0, 1.0, 1.0);
    html! {
        (svg::line(view.place(0.0, 1.0, 0.0), top, FRAME))
        @for level in levels {
            @let (x, y) = view.place(0.0, 1.0, height(level));
            (svg::line((x - 5.0, y), (x, y), FRAME))
            (svg::text((x - 9.0, y + 4.0), Anchor::End, SMALL, MUTED, &level.to_string()))
        }
        (svg::text((top.0, top.1 - 12.0), Anchor::Middle, 13.0, INK, "loss (root scale)"))
    }
}

/// A point whose text is centred on it.
fn below((x, y): (f64, f64)) -> (f64, f64) {
    (x, y + 4.0)
}
