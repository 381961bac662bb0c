//! The shapes of a call, as its driver sees them: of numbers, and of symbols for those who read of them.

use super::{AllPairs, Anchors, Driver, Input, LossSpec, Regions, Relation, Rows, Scope, Shape, Values};
use crate::{DType, Error, TensorType};

/// What the first input's shape amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The shape of an input with one value per item: of regions, per pixel.
    pub item_shape: Vec<usize>,
    /// The shape of an unreduced result: that of the items; of the first input for functions of a value per class; of
    /// the scores of regions.
    pub result_shape: Vec<usize>,
    /// Elements of one item in the first input: 1, the number of classes or of an embedding's dimensions, or 4 of a
    /// box.
    pub row: u64,
    /// From one class to the next in a dense tensor of rows: the product of the axes after the classes.
    pub class_stride: u64,
}

/// The extent of a call of the loss with a first input of this shape.
///
/// # Errors
/// [`Error::Shape`] for a shape that the driver does not take.
pub(crate) fn extent(spec: &LossSpec, values: &Values, shape: &[usize]) -> Result<Extent, Error> {
    let extent = match spec.driver {
        Driver::Elementwise => Ok(Extent::of_items(shape.to_vec(), 1)),
        Driver::Boxes => match shape {
            [items @ .., 4] if !items.is_empty() => Ok(Extent::of_items(items.to_vec(), 4)),
            _ => Err("[N, 4] or [N, d1, …, 4]".to_string()),
        },
        Driver::Pairs | Driver::AllPairs(_) => match *shape {
            [rows, dimensions] if dimensions > 0 => {
                let has_views = spec.all_pairs().is_some_and(|all_pairs| all_pairs.relation == Relation::Views);
                Ok(Extent::of_items(vec![if has_views { 2 * rows } else { rows }], dimensions))
            }
            _ => Err("[N, D] with D ≥ 1".to_string()),
        },
        Driver::Rows(rows) => Extent::of_rows(shape, (rows.least_classes)(values)).map(|extent| match rows.per_class {
            true => Extent { result_shape: shape.to_vec(), ..extent },
            false => extent,
        }),
        Driver::Regions(_) => {
            // Without the background there must be another class.
            let unscored = usize::from(!values.flag_or("include_background", true));
            let scope = values.word_or("scope", Scope::Class);
            Extent::of_rows(shape, 1 + unscored).map(|extent| {
                let samples = scope.is_per_sample().then_some(shape[0]);
                let classes = scope.is_per_class().then_some(shape[1] - unscored);
                Extent { result_shape: samples.into_iter().chain(classes).collect(), ..extent }
            })
        }
    };
    extent.map_err(|expected| {
        let tensor = spec.inputs.first().map_or("", |input| input.name);
        Error::Shape { loss: spec.name, tensor, expected, found: shape.to_vec() }
    })
}

impl Extent {
    /// Items of so many elements each, with a result each.
    fn of_items(items: Vec<usize>, row: usize) -> Self {
        Extent { result_shape: items.clone(), item_shape: items, row: row as u64, class_stride: 1 }
    }

    /// A row of at least so many classes an item, with a result each; or the shape that it takes.
    fn of_rows(shape: &[usize], least_classes: usize) -> Result<Self, String> {
        match *shape {
            [rows, classes, ref inner @ ..] if classes >= least_classes => {
                let class_stride = TensorType::new(DType::F32, inner).elements();
                Ok(Extent { class_stride, ..Extent::of_items([&[rows], inner].concat(), classes) })
            }
            _ => Err(format!("[N, C] or [N, C, d1, …] with C ≥ {least_classes}")),
        }
    }
}

impl LossSpec {
    /// The shape of an input in symbols, such as `[N, C, d…]`.
    ///
    /// ```
    /// use wgloss::{losses::NT_XENT, spec::WEIGHT};
    /// assert_eq!(NT_XENT.symbols_of(&NT_XENT.inputs[0]), "[N, D]");
    /// assert_eq!(NT_XENT.symbols_of(&WEIGHT), "[2N]");
    /// ```
    pub fn symbols_of(&self, input: &Input) -> &'static str {
        match (input.shape, self.driver) {
            (Shape::Items, Driver::Elementwise) => "[*]",
            (Shape::Items, Driver::Rows(_) | Driver::Regions(_) | Driver::Boxes) => "[N, d…]",
            (Shape::Rows, _) => "[N, C, d…]",
            (Shape::Boxes, _) => "[N, d…, 4]",
            (Shape::Embeddings, _) => "[N, D]",
            (Shape::Scalar, _) => "[]",
            (Shape::Items, Driver::AllPairs(AllPairs { relation: Relation::Views, .. })) => "[2N]",
            (Shape::Items, Driver::Pairs | Driver::AllPairs(_)) => "[N]",
            (Shape::OneOrItems, Driver::AllPairs(AllPairs { anchors: Anchors::Sorted, .. })) => "[1]",
            (Shape::OneOrItems, Driver::AllPairs(AllPairs { relation: Relation::Views, .. })) => "[1] or [2N]",
            (Shape::OneOrItems, Driver::Pairs | Driver::AllPairs(_)) => "[1] or [N]",
            (Shape::Classes, _) => "[C]",
            (Shape::LastAxis, _) => "[C], the last axis",
            (Shape::OneOrItems, Driver::Elementwise) => "[1] or [*]",
            (Shape::OneOrItems, Driver::Rows(Rows { per_class: false, .. }) | Driver::Boxes) => "[1] or [N, d…]",
            (Shape::OneOrItems, Driver::Rows(_)) => "[1] or [N, C, d…]",
            (Shape::OneOrItems, Driver::Regions(Regions { terms: Some(_), .. })) => "[1]",
            (Shape::OneOrItems, Driver::Regions(_)) => "[1] or that of the scores",
        }
    }
}
