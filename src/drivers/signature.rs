//! What the shapes and types of a call amount to, checked against the spec. Kernels and reference start from the same
//! signature.

use super::{
    broadcast::{self, Spread},
    room,
};
use crate::{
    DType, Error, Named, Options, Reduction, TensorType, losses,
    spec::{Domain, Driver, Input, Kind, LossSpec, MASK, Shape, Values},
};

/// What a first input's shape amounts to for a driver.
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

impl Extent {
    /// Items of so many elements each, with a result each.
    pub fn of_items(items: Vec<usize>, row: usize) -> Self {
        Extent { result_shape: items.clone(), item_shape: items, row: row as u64, class_stride: 1 }
    }

    /// A row of at least so many classes an item, with a result each; or the shape that it takes. A row alone is one
    /// item, and so is a value alone where one class is enough.
    pub fn of_one_or_more_rows(shape: &[usize], least_classes: usize) -> Result<Self, String> {
        match *shape {
            [classes] if classes >= least_classes => Ok(Extent::of_items(Vec::new(), classes)),
            [] if least_classes <= 1 => Ok(Extent::of_items(Vec::new(), 1)),
            _ => Extent::of_rows(shape, least_classes).map_err(|expected| format!("[C], {expected}")),
        }
    }

    /// A row of at least so many classes an item, with a result each; or the shape that it takes.
    pub fn of_rows(shape: &[usize], least_classes: usize) -> Result<Self, String> {
        match *shape {
            [rows, classes, ref inner @ ..] if classes >= least_classes => {
                let class_stride = TensorType::new(DType::F32, inner).elements();
                Ok(Extent { class_stride, ..Extent::of_items([&[rows], inner].concat(), classes) })
            }
            _ => Err(format!("[N, C] or [N, C, d1, …] with C ≥ {least_classes}")),
        }
    }

    /// A row of an embedding of each input an item; an embedding alone is one item.
    pub fn of_one_or_more_embeddings(shape: &[usize]) -> Result<Self, String> {
        match *shape {
            [dimensions] if dimensions > 0 => Ok(Extent::of_items(Vec::new(), dimensions)),
            _ => Extent::of_embeddings(shape).map_err(|expected| format!("[D], {expected}")),
        }
    }

    /// A row of an embedding of each input an item.
    pub fn of_embeddings(shape: &[usize]) -> Result<Self, String> {
        match *shape {
            [rows, dimensions] if dimensions > 0 => Ok(Extent::of_items(vec![rows], dimensions)),
            _ => Err("[N, D] with D ≥ 1".to_string()),
        }
    }
}

/// A checked call: which inputs are there, with which types, and how many items they make.
///
/// ```
/// use wgloss::{Signature, losses::CROSS_ENTROPY};
/// let signature = Signature::of_shape(&CROSS_ENTROPY.values(&[])?, &[8, 5, 3])?;
/// let shapes: Vec<_> = CROSS_ENTROPY.inputs.iter().map(|input| signature.shape_of(input)).collect();
/// assert_eq!(shapes, [vec![8, 5, 3], vec![8, 3], vec![5], vec![5], vec![8, 3]]);
/// # Ok::<(), wgloss::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Signature {
    /// The inputs given, in the order of the spec.
    pub(crate) inputs: Vec<(&'static Input, TensorType)>,
    /// The shape of an input with one value per item.
    pub(crate) item_shape: Vec<usize>,
    /// The shape of an unreduced result: that of the items; of the first input for functions of a value per class; of
    /// the scores of regions.
    pub(crate) result_shape: Vec<usize>,
    /// How many items there are: of regions, pixels.
    pub(crate) items: u64,
    /// Elements of one item in the first input: 1, the number of classes or of an embedding's dimensions, or 4 of a
    /// box.
    pub(crate) row: u64,
    /// From one class to the next in a dense tensor of rows: the product of the axes after the classes.
    pub(crate) class_stride: u64,
    /// The length of the last axis of the first input, or of what inputs are broadcast to.
    pub(crate) last_axis: u64,
    /// The length of the first axis of the first input, or of what inputs are broadcast to; 1 for one item alone. It is
    /// what `batch_mean` divides by.
    pub(crate) batch: u64,
    /// Rows of a head that belong to a class.
    pub(crate) centers: u64,
    /// The length of the first axis of the first input.
    pub(crate) tokens: u64,
}

impl Signature {
    /// The signature of a call with these inputs.
    ///
    /// # Errors
    /// The errors of [`Plan::new`](crate::Plan::new) for inputs and options.
    pub(crate) fn new(
        spec: &'static LossSpec,
        values: &Values,
        given: &Named<TensorType>,
        options: &Options,
    ) -> Result<Self, Error> {
        options.check(spec)?;
        super::check(spec, options)?;
        let layers = spec.layers_among(given.iter().map(|(name, _)| name));
        let known: Vec<String> = spec.inputs_with_layers(layers).map(|input| input.name.to_string()).collect();
        given.expect_only(spec.name, &known)?;

        let first = &spec.inputs[0];
        let missing = |input: &Input| Error::MissingTensor { loss: spec.name, tensor: input.name.to_string() };
        let shape = given.get(first.name).ok_or_else(|| missing(first))?.shape.clone();
        let shape = if room(&spec.driver).broadcasts() { broadcast::common_shape(spec, given, shape)? } else { shape };
        let mut signature = Signature::of_shape(values, &shape)?;
        if let Some(items) = room(&spec.driver).items_of(given) {
            signature.item_shape = vec![items];
            signature.result_shape = vec![items];
            (signature.items, signature.batch) = (items as u64, items as u64);
        }
        for input in spec.inputs_with_layers(layers) {
            match given.get(input.name) {
                Some(ty) => {
                    options.check_goes_with(spec, input)?;
                    expect_countable(spec, input.name, ty)?;
                    let input = input.given_as(ty.dtype);
                    signature.check(values, input, ty, options.reduction)?;
                    let is_frozen = options.frozen.contains(&input.name);
                    signature.inputs.push((if is_frozen { input.frozen() } else { input }, ty.clone()));
                }
                None if input.optional => {}
                None => return Err(missing(input)),
            }
        }
        Ok(signature)
    }

    /// The signature of a first input of this shape, where no other input is given yet.
    ///
    /// # Errors
    /// [`Error::Shape`] for a shape that the loss does not take, [`Error::Elements`] for one of too many elements.
    pub fn of_shape(values: &Values, shape: &[usize]) -> Result<Self, Error> {
        let spec = values.spec();
        let tensor = spec.inputs.first().map_or("", |input| input.name);
        expect_countable(spec, tensor, &TensorType::new(DType::F32, shape))?;
        let refused = |expected| Error::Shape { loss: spec.name, tensor, expected, found: shape.to_vec() };
        let extent = room(&spec.driver).extent(values, shape).map_err(refused)?;
        let Extent { item_shape, result_shape, row, class_stride } = extent;
        // One item alone has no axis of items.
        let batch = if item_shape.is_empty() { None } else { shape.first() };
        Ok(Signature {
            inputs: Vec::new(),
            items: TensorType::new(DType::F32, &item_shape[..]).elements(),
            item_shape,
            result_shape,
            row,
            class_stride,
            last_axis: shape.last().map_or(1, |&length| length as u64),
            batch: batch.map_or(1, |&length| length as u64),
            centers: if let Driver::Linear(linear) = spec.driver { linear.centers() } else { 1 },
            tokens: shape.first().map_or(1, |&length| length as u64),
        })
    }

    /// The shape that an input has in this call. Where one value may be given or one per item, it is that of one per
    /// item of an unreduced result.
    pub fn shape_of(&self, input: &Input) -> Vec<usize> {
        match input.shape {
            Shape::Items => self.item_shape.clone(),
            Shape::OneOrItems => self.result_shape.clone(),
            Shape::Rows => self.rows_shape(),
            Shape::ItemRows => [&self.item_shape[..], &[self.values_of_item()]].concat(),
            Shape::Boxes => [&self.item_shape[..], &[4]].concat(),
            Shape::Embeddings if self.item_shape.is_empty() => vec![self.row as usize],
            Shape::Embeddings => vec![self.batch as usize, self.row as usize],
            Shape::Scalar => Vec::new(),
            Shape::Classes => vec![self.row as usize],
            Shape::LastAxis => vec![self.last_axis as usize],
            Shape::Own | Shape::OwnOfBatch | Shape::OwnRows => self.shape_given(input.name),
            Shape::Layers => vec![self.layers()],
            Shape::Like(other) => self.shape_given(other),
            Shape::Hidden => [&self.item_shape[..], &[self.dimensions(input.name)]].concat(),
            Shape::Head(hidden) => vec![(self.head_classes() * self.centers) as usize, self.dimensions(hidden)],
            Shape::HeadClasses => vec![self.head_classes() as usize],
            Shape::HeadRows => [&self.item_shape[..], &[self.head_classes() as usize]].concat(),
            Shape::Tokens => vec![self.tokens as usize],
            Shape::TokenRows => vec![self.tokens as usize, self.row as usize],
            Shape::Offsets(sequences) => vec![usize::from(sequences) * self.items as usize + 1],
        }
    }

    /// The shape that an input of a sum was given in, or that of the first one.
    fn shape_given(&self, name: &str) -> Vec<usize> {
        self.input(name).map_or_else(|| self.item_shape.clone(), |ty| ty.shape.clone())
    }

    /// The length of the hidden states of that name: where they are not given, that of the first input.
    fn dimensions(&self, hidden: &str) -> usize {
        let given = self.input(hidden).and_then(|ty| ty.shape.last());
        given.map_or(self.row as usize, |&length| length)
    }

    /// How many values an item has in inputs with several: as the first of them that is given has, else as many as are
    /// usual.
    fn values_of_item(&self) -> usize {
        let given = self.inputs.iter().find(|(input, _)| input.shape == Shape::ItemRows);
        let usual = || (self.row as usize).div_ceil(2).min(64);
        given.and_then(|(_, ty)| ty.shape.last().copied()).unwrap_or_else(usual)
    }

    /// How many classes an item has: those of the heads, where these make the classes.
    pub(crate) fn classes(&self) -> u64 {
        let has_head = self.inputs.iter().any(|(input, _)| matches!(input.shape, Shape::Head(_)));
        if has_head { self.head_classes() } else { self.row }
    }

    /// How many classes the heads have: the rows of the first one given; where none is, as many as dimensions.
    pub(crate) fn head_classes(&self) -> u64 {
        let is_head = |input: &Input| matches!(input.shape, Shape::Head(_));
        let head = self.inputs.iter().find(|(input, _)| is_head(input));
        let rows = head.and_then(|(_, ty)| ty.shape.first()).map_or(self.row * self.centers, |&rows| rows as u64);
        rows / self.centers
    }

    /// How many layers there are, of losses that have them.
    fn layers(&self) -> usize {
        self.inputs.iter().filter(|(input, _)| input.per_layer && !matches!(input.shape, Shape::Like(_))).count().max(1)
    }

    /// The shape of a row of classes for every item.
    fn rows_shape(&self) -> Vec<usize> {
        let (batch, inner) = self.item_shape.split_at(self.item_shape.len().min(1));
        [batch, &[self.row as usize], inner].concat()
    }

    /// Whether each row has values of its own for the classes in an input of one value a class.
    pub(crate) fn is_by_row(&self, input: &Input) -> bool {
        self.input(input.name).is_some_and(|ty| ty.elements() != self.row)
    }

    fn check(&self, values: &Values, input: &Input, ty: &TensorType, reduction: Reduction) -> Result<(), Error> {
        let spec = values.spec();
        if let Some(error) = self.misplaced_classes(spec, input, &ty.shape) {
            return Err(error);
        }
        let (fits, kind) = match input.kind {
            Kind::Float => (ty.dtype.is_float(), "f32, f16 or bf16"),
            Kind::Index => (ty.dtype == DType::I32, "i32"),
            Kind::Label | Kind::Mask => (true, "f32, f16, bf16 or i32"),
        };
        let kind = if input.as_indices.is_some() { "f32, f16, bf16 or i32" } else { kind };
        if !fits {
            let tensor = format!("{}: `{}`", spec.name, input.name);
            return Err(Error::DType { tensor, expected: kind.to_string(), found: ty.dtype });
        }
        if input.needs_values && ty.elements() == 0 {
            let expected = "[K] with K ≥ 1".to_string();
            return Err(Error::Shape { loss: spec.name, tensor: input.name, expected, found: ty.shape.clone() });
        }
        let shape = self.shape_of(input);
        let broadcasts = room(&spec.driver).broadcasts();
        let (fits, expected) = match input.shape {
            Shape::Scalar => (ty.elements() == 1, "[] or [1]".to_string()),
            Shape::Items if broadcasts => {
                let fits = self.aligned(input, ty).is_some_and(|own| broadcast::fits(&own, &shape));
                (fits, broadcast::or_broadcast(&shape))
            }
            Shape::OneOrItems if broadcasts => {
                let fits = ty.elements() == 1 || broadcast::fits(&ty.shape, &shape);
                (fits, format!("[1], {}", broadcast::or_broadcast(&shape)))
            }
            Shape::OneOrItems => (ty.shape == shape || ty.elements() == 1, format!("[1] or {shape:?}")),
            Shape::Classes if room(&spec.driver).takes_weights_by_row() => {
                let by_row = self.rows_shape();
                let fits = ty.shape == shape
                    || ty.shape == by_row
                    || broadcast::is_one(&shape) && broadcast::is_one(&ty.shape);
                (fits, format!("{shape:?} or {by_row:?}"))
            }
            // What the driver takes of the first layer it takes of each.
            Shape::Own | Shape::OwnRows if input.per_layer => match room(&spec.driver).extent(values, &ty.shape) {
                Ok(_) => (true, String::new()),
                Err(expected) => (false, expected),
            },
            Shape::Own | Shape::OwnRows => (true, String::new()),
            Shape::OwnOfBatch => (ty.shape.first() == self.item_shape.first(), format!("[{}, …]", self.batch)),
            Shape::ItemRows if !self.inputs.iter().any(|(other, _)| other.shape == Shape::ItemRows) => {
                let is_of_items = |values: usize| (1..=self.row as usize).contains(&values);
                let fits = ty
                    .shape
                    .split_last()
                    .is_some_and(|(&own, items)| is_of_items(own) && *items == self.item_shape[..]);
                let items = self.item_shape.iter().map(|length| format!("{length}, ")).collect::<String>();
                (fits, format!("[{items}K] with K from 1 to {}", self.row))
            }
            Shape::Hidden => {
                let fits = ty.shape.split_last().is_some_and(|(&own, items)| own > 0 && *items == self.item_shape[..]);
                (fits, format!("{:?} and a length of its own", self.item_shape))
            }
            Shape::Head(hidden) => {
                let (centers, dimensions) = (self.centers as usize, self.dimensions(hidden));
                let has_others = self.inputs.iter().any(|(other, _)| matches!(other.shape, Shape::Head(_)));
                let known = has_others.then(|| self.head_classes() as usize * centers);
                let least = self.least_head_classes(values) * centers;
                let fits_rows =
                    |rows: usize| known.map_or(rows >= least, |known| rows == known) && rows.is_multiple_of(centers);
                let fits = matches!(ty.shape[..], [rows, length] if fits_rows(rows) && length == dimensions);
                let expected = match known {
                    Some(rows) => format!("{:?}", [rows, dimensions]),
                    None if centers > 1 => format!("[{centers}·C, {dimensions}]"),
                    None => format!("[V, {dimensions}] with V ≥ {least}"),
                };
                (fits, expected)
            }
            // One item alone has its one value with an axis or without.
            _ if self.item_shape.is_empty() && broadcast::is_one(&shape) => {
                (broadcast::is_one(&ty.shape), "[] or [1]".to_string())
            }
            _ => (ty.shape == shape, format!("{shape:?}")),
        };
        if !fits {
            return Err(Error::Shape { loss: spec.name, tensor: input.name, expected, found: ty.shape.clone() });
        }
        if let Some(found) = ty.row_stride {
            let least = self.row as usize;
            let may_have_gaps =
                room(&spec.driver).takes_row_strides() && input.shape == Shape::Rows && ty.shape.len() == 2;
            if !may_have_gaps || found < least {
                return Err(Error::RowStride { loss: spec.name, tensor: input.name, found, least });
            }
        }
        if input.shape == Shape::OneOrItems && ty.elements() != 1 && reduction != Reduction::None {
            return Err(Error::UpstreamReduction { loss: spec.name, reduction });
        }
        Ok(())
    }

    /// The least number of classes that the loss behind the heads has.
    fn least_head_classes(&self, values: &Values) -> usize {
        match values.spec().driver {
            Driver::Linear(linear) => linear.least_classes(values),
            _ => 1,
        }
    }

    /// The error of classes that lie where the loss does not look for them: on the last axis of the first input, or in
    /// values for each class where an index is asked for.
    pub(crate) fn misplaced_classes(&self, spec: &LossSpec, input: &Input, found: &[usize]) -> Option<Error> {
        let first = &spec.inputs[0];
        if first.shape != Shape::Rows || input.shape != Shape::Items || *found == self.item_shape[..] {
            return None;
        }
        let rows = self.shape_of(first);
        if *found == rows[..] && input.domain == Domain::Class {
            let soft = losses::ALL.iter().find(|other| other.name.strip_suffix("_soft") == Some(spec.name));
            let values = match soft {
                Some(soft) => format!("values for each class are the target of `{}`", soft.name),
                None if input.kind != spec.input(input.name)?.kind => "values for each class are floats".to_string(),
                None => "not values for each class".to_string(),
            };
            let expected = format!("{:?}, class indices; {values}", self.item_shape);
            return Some(Error::Shape { loss: spec.name, tensor: input.name, expected, found: found.to_vec() });
        }
        let (&classes, others) = rows.split_last()?;
        if others.len() < 2 || found != others {
            return None;
        }
        let shape = [&others[..1], &[classes], &others[1..]].concat();
        let expected = format!("{shape:?} for `{}` of shape {others:?}, with the classes on axis 1", input.name);
        Some(Error::Shape { loss: spec.name, tensor: first.name, expected, found: rows })
    }

    /// The axes of an input as they are aligned with those of the others.
    fn aligned(&self, input: &Input, ty: &TensorType) -> Option<Vec<usize>> {
        let first = self.inputs.first().map_or(&ty.shape, |(_, first)| &first.shape);
        broadcast::aligned(input, &ty.shape, first)
    }

    /// The axes of an input that has fewer values than there are items, where one value serves several of them: as many
    /// axes as those of the items, of the same length or of length 1.
    pub(crate) fn broadcast_axes(&self, name: &str) -> Option<Vec<usize>> {
        let (input, ty) = self.inputs.iter().find(|(input, _)| input.name == name)?;
        let own = match input.shape {
            Shape::LastAxis => ty.shape.clone(),
            Shape::Items if ty.elements() != self.items => self.aligned(input, ty)?,
            Shape::OneOrItems if ty.elements() != 1 && ty.elements() != self.results() => ty.shape.clone(),
            _ => return None,
        };
        Some(broadcast::padded(&own, self.item_shape.len()))
    }

    /// How the values of such an input lie among the items.
    pub(super) fn spread(&self, name: &str) -> Option<Spread> {
        self.broadcast_axes(name).map(|axes| Spread::new(&axes, &self.item_shape))
    }

    /// Whether each item has a class index.
    pub(crate) fn has_labels(&self) -> bool {
        self.inputs.iter().any(|(input, _)| input.is_index_of_item())
    }

    /// Whether items may be left out.
    pub(crate) fn is_masked(&self) -> bool {
        self.input(MASK.name).is_some()
    }

    /// How many values an unreduced result has.
    pub(crate) fn results(&self) -> u64 {
        self.loss_type(Reduction::None).elements()
    }

    /// The type of that input, if it was given.
    pub(crate) fn input(&self, name: &str) -> Option<&TensorType> {
        self.inputs.iter().find(|(input, _)| input.name == name).map(|(_, ty)| ty)
    }

    /// Elements from one row, or with axes after the classes one sample, to the next in the input of that place, if it
    /// is there.
    pub(crate) fn row_stride(&self, place: usize) -> u64 {
        let given = self.inputs.get(place).and_then(|(_, ty)| ty.stride_of_rows());
        given.map_or(self.row * self.class_stride, |stride| stride as u64)
    }

    /// The type of `loss`.
    pub(crate) fn loss_type(&self, reduction: Reduction) -> TensorType {
        let shape = if reduction == Reduction::None { self.result_shape.clone() } else { Vec::new() };
        TensorType::new(DType::F32, shape)
    }

    /// The inputs that have a gradient, with the type that it has too.
    pub(crate) fn differentiable(&self) -> impl Iterator<Item = (&'static Input, &TensorType)> {
        self.inputs.iter().filter(|(input, _)| input.differentiable).map(|(input, ty)| (*input, ty))
    }
}

/// That counts of a tensor's elements, and what is made of them, are numbers that do not overflow.
fn expect_countable(spec: &LossSpec, tensor: &'static str, ty: &TensorType) -> Result<(), Error> {
    match ty.is_countable() {
        true => Ok(()),
        false => Err(Error::Elements { loss: spec.name, tensor, shape: ty.shape.clone() }),
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
        let [items, one_or_items] = room(&self.driver).symbols();
        match input.shape {
            Shape::Items if input.needs_values => "[K], K ≥ 1",
            Shape::Items if input.may_lack_last_axis => "[*], or without its last axis",
            Shape::Items => items,
            Shape::OneOrItems => one_or_items,
            Shape::Rows => "[N, C, d…]",
            Shape::ItemRows => "[N, K]",
            Shape::Boxes => "[N, d…, 4]",
            Shape::Embeddings => "[N, D]",
            Shape::Scalar => "[]",
            Shape::Classes if room(&self.driver).takes_weights_by_row() => "[C] or [N, C, d…]",
            Shape::Classes => "[C]",
            Shape::LastAxis => "[C], the last axis",
            Shape::Own => "[*], of its own",
            Shape::OwnOfBatch => "[N, …], of its own",
            Shape::OwnRows => "[N, C, d…], of its own",
            Shape::Layers => "[K]",
            Shape::Like(_) => "[*], as the one before",
            Shape::Hidden if input.differentiable => "[N, d…, H]",
            Shape::Hidden => "[N, d…, G]",
            Shape::Head(_) if input.differentiable => "[V, H]",
            Shape::Head(_) => "[V, G]",
            Shape::HeadClasses => "[V]",
            Shape::HeadRows => "[N, d…, V]",
            Shape::Tokens => "[T]",
            Shape::TokenRows => "[T, V]",
            Shape::Offsets(1) => "[B + 1]",
            Shape::Offsets(_) => "[2·B + 1]",
        }
    }
}
