//! Losses of boxes, as in [`losses`](crate::losses): one function per loss.
//!
//! The formulas stand here as they are written, and [`Dual`] numbers carry their derivatives along.

use std::{
    f64::consts::PI,
    ops::{Add, Div, Mul, Sub},
};

use crate::spec::{Item, Term, Values};

/// [`Iou`](crate::losses::Iou).
pub fn iou(item: &Item<'_>, values: &Values) -> Term {
    Pair::new(item, values).iou_loss().into()
}

/// [`Giou`](crate::losses::Giou).
pub fn giou(item: &Item<'_>, values: &Values) -> Term {
    let pair = Pair::new(item, values);
    let hull = pair.hull().area();
    (pair.iou_loss() + (hull - pair.union()) / (hull + pair.eps)).into()
}

/// [`Diou`](crate::losses::Diou).
pub fn diou(item: &Item<'_>, values: &Values) -> Term {
    Pair::new(item, values).diou_loss().into()
}

/// [`Ciou`](crate::losses::Ciou).
pub fn ciou(item: &Item<'_>, values: &Values) -> Term {
    let pair = Pair::new(item, values);
    let angle = |corners: Corners| corners.width().atan_of_quotient(corners.height() + pair.eps);
    // A box without width and height has no angle: it differs from none.
    let difference = match pair.prediction.is_point(pair.eps) {
        true => 0.0.into(),
        false => angle(pair.target) - angle(pair.prediction),
    };
    let v = Dual::from(4.0 / (PI * PI)) * difference.squared();
    let alpha = Dual::from(v.value / (pair.iou_loss().value + v.value + pair.eps.value));
    (pair.diou_loss() + alpha * v).into()
}

/// A prediction and its target.
struct Pair {
    prediction: Corners,
    target: Corners,
    eps: Dual,
}

impl Pair {
    fn new(item: &Item<'_>, values: &Values) -> Self {
        let (prediction, target) = (item.row("prediction"), item.row("target"));
        Pair {
            prediction: Corners(std::array::from_fn(|corner| Dual::variable(prediction[corner], corner))),
            target: Corners(std::array::from_fn(|corner| target[corner].into())),
            eps: values.number("eps").into(),
        }
    }

    fn intersection(&self) -> Dual {
        let (Corners([px1, py1, px2, py2]), Corners([tx1, ty1, tx2, ty2])) = (self.prediction, self.target);
        let inner = Corners([px1.max(tx1), py1.max(ty1), px2.min(tx2), py2.min(ty2)]);
        let Corners([x1, y1, x2, y2]) = inner;
        if x1.value < x2.value && y1.value < y2.value { inner.area() } else { 0.0.into() }
    }

    fn union(&self) -> Dual {
        self.prediction.area() + self.target.area() - self.intersection()
    }

    fn hull(&self) -> Corners {
        let (Corners([px1, py1, px2, py2]), Corners([tx1, ty1, tx2, ty2])) = (self.prediction, self.target);
        Corners([px1.min(tx1), py1.min(ty1), px2.max(tx2), py2.max(ty2)])
    }

    /// 1 − I/(U + eps), on one fraction line: of equal boxes that are large, 1 would leave no digit of eps.
    fn iou_loss(&self) -> Dual {
        if self.intersection().value == 0.0 {
            return 1.0.into();
        }
        (self.union() - self.intersection() + self.eps) / (self.union() + self.eps)
    }

    fn diou_loss(&self) -> Dual {
        let centre = |Corners([x1, y1, x2, y2])| [(x1 + x2) * 0.5.into(), (y1 + y2) * 0.5.into()];
        let ([px, py], [tx, ty]) = (centre(self.prediction), centre(self.target));
        let distance = (px - tx).squared() + (py - ty).squared();
        let diagonal = self.hull().width().squared() + self.hull().height().squared();
        self.iou_loss() + distance / (diagonal + self.eps)
    }
}

/// x1, y1, x2 and y2.
#[derive(Clone, Copy)]
struct Corners([Dual; 4]);

impl Corners {
    fn width(self) -> Dual {
        self.0[2] - self.0[0]
    }

    fn height(self) -> Dual {
        self.0[3] - self.0[1]
    }

    fn area(self) -> Dual {
        self.width() * self.height()
    }

    fn is_point(self, eps: Dual) -> bool {
        self.width().value == 0.0 && (self.height() + eps).value == 0.0
    }
}

/// A number and its derivatives by the four corners of the prediction.
#[derive(Clone, Copy)]
struct Dual {
    value: f64,
    gradient: [f64; 4],
}

impl Dual {
    fn variable(value: f64, corner: usize) -> Self {
        Dual { value, gradient: std::array::from_fn(|other| if other == corner { 1.0 } else { 0.0 }) }
    }

    /// A function of two numbers: its value, and each number with the derivative by it.
    fn of(value: f64, a: (Dual, f64), b: (Dual, f64)) -> Self {
        let by_corner = |corner: usize| a.1 * a.0.gradient[corner] + b.1 * b.0.gradient[corner];
        Dual { value, gradient: std::array::from_fn(by_corner) }
    }

    fn squared(self) -> Self {
        self * self
    }

    /// atan(self/divisor), whose derivatives are finite where the divisor is 0 too.
    fn atan_of_quotient(self, divisor: Dual) -> Self {
        let (a, b) = (self.value, divisor.value);
        let square = a * a + b * b;
        Dual::of((a / b).atan(), (self, b / square), (divisor, -a / square))
    }

    fn max(self, other: Self) -> Self {
        self.chosen(other, self.value > other.value)
    }

    fn min(self, other: Self) -> Self {
        self.chosen(other, self.value < other.value)
    }

    /// One of both; where they are equal, with half the derivatives of each.
    fn chosen(self, other: Self, is_first: bool) -> Self {
        match is_first {
            true => self,
            false if self.value == other.value => Dual::of(self.value, (self, 0.5), (other, 0.5)),
            false => other,
        }
    }
}

impl From<f64> for Dual {
    fn from(value: f64) -> Self {
        Dual { value, gradient: [0.0; 4] }
    }
}

impl From<Dual> for Term {
    fn from(loss: Dual) -> Self {
        Term::new(loss.value, loss.gradient)
    }
}

impl Add for Dual {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Dual::of(self.value + other.value, (self, 1.0), (other, 1.0))
    }
}

impl Sub for Dual {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Dual::of(self.value - other.value, (self, 1.0), (other, -1.0))
    }
}

impl Mul for Dual {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Dual::of(self.value * other.value, (self, other.value), (other, self.value))
    }
}

impl Div for Dual {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let quotient = self.value / other.value;
        Dual::of(quotient, (self, other.value.recip()), (other, -quotient / other.value))
    }
}
