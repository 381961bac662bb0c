//! The forms that the f64 reference of a loss takes: what such a function gets and gives.

use std::{fmt, ops::Index};

use super::{Domain, Values};

/// The reference of one loss, by driver.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    /// Loss and gradients of one element.
    Elementwise(fn(&Item<'_>, &Values) -> Term),
    /// Loss and gradients of one row.
    Rows(fn(&Item<'_>, &Values) -> Term),
    /// The losses of a score, and of a pixel where the loss has a term for each.
    Regions(RegionReference),
    /// Loss and gradients of one box.
    Boxes(fn(&Item<'_>, &Values) -> Term),
    /// Loss and gradients of one pair or triplet of rows.
    Pairs(fn(&Item<'_>, &Values) -> Term),
    /// Loss of one anchor of a batch, and its derivatives by the values of the anchor's pairs.
    AllPairs(fn(&Anchor<'_>, &Values) -> AnchorTerm),
    /// Those of the parts.
    Sum,
    /// That of each layer.
    Layers,
    /// The squares of what two Gram matrices differ in.
    Gram,
    /// That of the logits that heads make.
    Linear,
    /// That of the loss of items, of what sequences have.
    Sequences,
    /// Loss and gradients of one element or row, of a loss that is made while the program runs.
    Closure(Closure),
    /// None, of a loss of elements or rows: what is known of its gradients are differences of the loss.
    None,
}

/// A reference that may hold values of its own.
#[derive(Clone, Copy)]
pub struct Closure(pub &'static (dyn Fn(&Item<'_>, &Values) -> Term + Send + Sync));

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closure")
    }
}

/// The values of one item's inputs, by name: `item["prediction"]`, `item.row("logits")`. An optional input that was
/// left out is 1. A name that the loss has no input of is a panic, as a wrong index is.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub(crate) inputs: &'a [Column],
    pub(crate) upstream: &'a Column,
    pub(crate) index: usize,
}

impl Index<&str> for Item<'_> {
    type Output = f64;

    #[track_caller]
    fn index(&self, name: &str) -> &f64 {
        &self.row(name)[0]
    }
}

impl Item<'_> {
    /// The item's row of an input that has one value per class, or its box.
    ///
    /// # Panics
    /// If the loss has no input of that name.
    #[track_caller]
    pub fn row(&self, name: &str) -> &[f64] {
        self.row_of(name).unwrap_or_else(|| {
            let known: Vec<&str> = self.inputs.iter().map(|column| column.name).collect();
            panic!("no input is called `{name}`: there are {}", known.join(", "))
        })
    }

    /// The same where the loss has an input of that name.
    pub(crate) fn row_of(&self, name: &str) -> Option<&[f64]> {
        self.inputs.iter().find(|column| column.name == name).map(|column| column.part(self.index))
    }

    /// The item's row of the first input.
    pub(crate) fn first(&self) -> &[f64] {
        self.inputs[0].part(self.index)
    }

    /// The item's value of an optional input, if that was not left out.
    ///
    /// # Panics
    /// If the loss has no input of that name.
    #[track_caller]
    pub fn given(&self, name: &str) -> Option<f64> {
        let is_given = self.inputs.iter().any(|column| column.name == name && column.is_given);
        Some(self[name]).filter(|_| is_given)
    }

    /// The class that the item's `target` names.
    ///
    /// # Panics
    /// If the loss has no input `target`.
    #[track_caller]
    pub fn class(&self) -> usize {
        self["target"] as usize
    }

    /// The upstream gradient of the item: of a function with a value per class, one per class.
    pub fn upstream(&self) -> &[f64] {
        self.upstream.part(self.index)
    }

    /// The length of the item's embeddings.
    pub(crate) fn dimensions(&self) -> usize {
        self.inputs[0].width
    }

    pub(crate) fn any(&self, is: fn(f64) -> bool) -> bool {
        self.any_of(|_| is)
    }

    /// Whether a value is what is asked of those of its input.
    pub(crate) fn any_of(&self, asked: impl Fn(&Column) -> fn(f64) -> bool) -> bool {
        self.inputs.iter().any(|column| column.part(self.index).iter().any(|&x| asked(column)(x)))
    }
}

/// The values of one input. Every item has a part of `width` of them; where there are fewer parts than items they
/// repeat, as a value per position on the last axis or a row of class weights does, or a single value.
#[derive(Debug)]
pub(crate) struct Column {
    pub name: &'static str,
    pub domain: Domain,
    /// Whether it was not left out.
    pub is_given: bool,
    pub width: usize,
    pub values: Vec<f64>,
}

impl Column {
    pub fn part(&self, item: usize) -> &[f64] {
        let parts = self.values.len() / self.width;
        &self.values[item % parts * self.width..][..self.width]
    }

    pub fn at(&self, item: usize) -> f64 {
        self.part(item)[0]
    }
}

/// The loss of one item and its gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The loss: one value, or one per class for a function that has as many.
    pub loss: Vec<f64>,
    /// The gradients of the differentiable inputs in the order of the spec: one value each for an element, one per
    /// class for a row, four for a box, and one per dimension for an embedding.
    pub gradients: Vec<f64>,
    /// What rounding errors of the loss are relative to, where that is not its own magnitude but that of the terms it
    /// is a difference of.
    pub magnitude: Option<f64>,
    /// What rounding errors of the gradient of each input are relative to, at its largest; empty where that is nothing
    /// larger than the gradients.
    pub gradient_magnitudes: Vec<f64>,
    /// By how much each gradient may be otherwise, because it has a jump so near that rounding decides on which side
    /// the item is; empty where that is clear.
    pub doubts: Vec<f64>,
    /// What a policy has of the item besides.
    pub told: Told,
}

/// What a policy has of a token, or of an answer, besides its loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// 1 where the clip binds, else 0.
    pub clipped: f64,
    /// How far the ratio is from where that is otherwise, relative to what its rounding error is relative to.
    pub clip_margin: f64,
    /// The divergence from the reference.
    pub kl: f64,
    /// What the rounding error of the divergence is relative to.
    pub kl_magnitude: f64,
}

impl Told {
    /// What is told of an item that does not count, and of losses that are no policies.
    pub const NOTHING: Self = Told { clipped: 0.0, clip_margin: f64::INFINITY, kl: 0.0, kl_magnitude: 0.0 };
    /// What is told of an item of which nothing is known.
    pub(crate) const UNKNOWN: Self = Told { clipped: f64::NAN, kl: f64::NAN, ..Told::NOTHING };
}

impl Term {
    /// A loss and its gradients.
    pub fn new(loss: f64, gradients: impl Into<Vec<f64>>) -> Self {
        Term::per_class(vec![loss], gradients.into())
    }

    /// The term with a magnitude other than that of the loss.
    pub fn of_magnitude(self, magnitude: f64) -> Self {
        Term { magnitude: Some(magnitude), ..self }
    }

    /// The term with the magnitudes of what the gradient of each input is a difference of.
    pub fn of_gradient_magnitudes(self, magnitudes: impl Into<Vec<f64>>) -> Self {
        Term { gradient_magnitudes: magnitudes.into(), ..self }
    }

    /// The term with what may be otherwise about its gradients.
    pub fn of_doubts(self, doubts: impl Into<Vec<f64>>) -> Self {
        Term { doubts: doubts.into(), ..self }
    }

    /// The term with what is told besides.
    pub fn telling(self, told: Told) -> Self {
        Term { told, ..self }
    }

    /// A function's values, one per class, and their gradients times [`Item::upstream`], summed.
    pub fn per_class(values: Vec<f64>, gradients: Vec<f64>) -> Self {
        Term {
            loss: values,
            gradients,
            magnitude: None,
            gradient_magnitudes: Vec::new(),
            doubts: Vec::new(),
            told: Told::NOTHING,
        }
    }

    /// `f` of the loss, of every gradient and, without their signs, of magnitudes and doubts.
    pub(crate) fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        self.loss.iter_mut().chain(&mut self.gradients).for_each(|x| *x = f(*x));
        let sizes = self.magnitude.iter_mut().chain(&mut self.gradient_magnitudes).chain(&mut self.doubts);
        sizes.for_each(|x| *x = f(*x).abs());
        self
    }
}

/// The reference of a loss of regions.
#[derive(Clone, Copy, Debug)]
pub struct RegionReference {
    /// The loss of one score.
    pub score: fn(&Sums, &Values) -> Score,
    /// Of losses with a term for each pixel: that of a pixel, and its gradient by the pixel's logits.
    pub pixel: Option<fn(&Pixel<'_>, &Values) -> Term>,
}

/// What one score sums over its pixels and classes. The textbook's I, P and T are TP, TP + FP and TP + FN.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// TP = Σ p·t.
    pub true_positives: f64,
    /// FP = Σ p·(1 − t), or with squares Σ p² − p·t.
    pub false_positives: f64,
    /// FN = Σ (1 − p)·t, or with squares Σ t² − p·t.
    pub false_negatives: f64,
}

/// The loss of a score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// The loss.
    pub loss: f64,
    /// Its derivatives by each of the sums.
    pub slopes: Sums,
}

/// A pixel's values for each class.
#[derive(Clone, Copy, Debug)]
pub struct Pixel<'a> {
    /// The logits.
    pub logits: &'a [f64],
    /// t; where the target is an index, 1 of the class that it names and 0 of the others.
    pub targets: &'a [f64],
    /// w.
    pub weights: &'a [f64],
    /// w·t; where the target is an index, w of the class that it names and 0 of the others.
    pub masses: &'a [f64],
}

/// An anchor's values with all rows that it is compared with, itself included.
#[derive(Clone, Copy, Debug)]
pub struct Anchor<'a> {
    /// Its distances, or its similarities divided by the temperature.
    pub values: &'a [f64],
    /// Which rows are its positives.
    pub positives: &'a [usize],
    /// Which rows are its negatives.
    pub negatives: &'a [usize],
}

/// The loss of one anchor, summed over its items.
#[derive(Clone, Debug, PartialEq)]
pub struct AnchorTerm {
    /// The loss.
    pub loss: f64,
    /// Its derivative by each of the values.
    pub slopes: Vec<f64>,
    /// How many items count.
    pub items: u64,
    /// How many triplets are selected.
    pub triplets: u64,
    /// How many of them have a loss above 0.
    pub active: u64,
    /// The hardest positive and negative, where the loss is theirs.
    pub hardest: Option<[usize; 2]>,
    /// The sum of the magnitudes that the losses are sums and differences of.
    pub magnitude: f64,
    /// The largest magnitude of what is exponentiated.
    pub condition: f64,
    /// What rounding may change, where it decides a choice.
    pub doubt: Doubt,
}

/// How much of an anchor's term rounding may change, because rows or triplets are chosen by values so near each other
/// that either is right. Nothing where every choice is clear.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doubt {
    /// By how much the loss may change.
    pub loss: f64,
    /// By how much the slope of each value may change; empty where none does.
    pub slopes: Vec<f64>,
    /// By how much the count of items may change.
    pub items: u64,
    /// By how much the count of triplets may change.
    pub triplets: u64,
    /// By how much the count of active triplets may change.
    pub active: u64,
    /// Which rows, besides those chosen, may be the hardest positive and the hardest negative.
    pub hardest: [Vec<usize>; 2],
}

impl Doubt {
    /// Whether every choice is clear.
    pub fn is_none(&self) -> bool {
        *self == Doubt::default()
    }
}
