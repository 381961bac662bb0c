//! Losses of rows whose logits a head makes of hidden states: logits = hidden·weightᵀ + bias, which are never stored
//! whole. Panel by panel of rows they are made in scratch, the rows room's own program turns them into their gradients
//! in place, and those are multiplied back.

mod builder;
mod cosine;
mod draft;
mod layout;
mod product;
mod steps;

#[cfg(feature = "parity")]
use super::trials::{Arrangement, Trials};
use super::{Call, Extent, Panels, Room, Statistic, needs::Need, room, rows};
use crate::{
    DType, Error, Gradients, Named, Options, Reduction, Signature, TensorType,
    extra::Extra,
    program::{Program, workspace::WorkspaceHeader},
    spec::{
        DIVISOR, Driver, ITEM_WEIGHT, Input, Kind, Linear, LossSpec, MASK, Margin, Rows, Shape, UPSTREAM, Value,
        Values, WEIGHT,
    },
};
use builder::Builder;
use layout::Layout;

impl Room for Linear {
    fn extent(&self, _: &Values, shape: &[usize]) -> Result<Extent, String> {
        match shape.split_last() {
            Some((&dimensions, items)) if dimensions > 0 => Ok(Extent::of_items(items.to_vec(), dimensions)),
            _ => Err("[N, d…, H] with H ≥ 1".to_string()),
        }
    }

    fn symbols(&self) -> [&'static str; 2] {
        ["[N, d…]", "[1] or [N, d…]"]
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need {
            what: "`driver` is of a row loss with one value per row, of heads whose inputs are there, and for cosines \
                   `scale` and, with a margin, `margin` are numbers",
            is_met: |spec| match spec.driver {
                Driver::Linear(Linear { rows, heads, cosine, .. }) => {
                    let inputs =
                        heads.iter().flat_map(|head| [Some(head.hidden), Some(head.weight), head.bias]).flatten();
                    rows.rows().is_some_and(|rows| !rows.per_class)
                        && inputs.into_iter().all(|name| spec.input(name).is_some())
                        && (cosine.is_none() || spec.has_number("scale"))
                        && (cosine.is_none_or(|cosine| cosine.margin == Margin::None) || spec.has_number("margin"))
                }
                _ => false,
            },
        }]
    }

    fn statistics(&self, _: &LossSpec) -> Vec<Statistic> {
        room(&self.rows.driver).statistics(self.rows)
    }

    fn freezes(&self) -> bool {
        true
    }

    fn refuses(&self, loss: &'static str, reduction: Reduction) -> Option<Error> {
        room(&self.rows.driver).refuses(loss, reduction)
    }

    fn program(&self, call: &Call<'_>) -> Result<Program, Error> {
        let layout = Layout::new(call, self.heads)?;
        let inner = OfRows::new(self, call.values, call.signature, call.options)?;
        let panels = Panels { rows: layout.panel_rows, inputs: self.panel_inputs() };
        let options = &inner.options;
        let of_rows =
            Call { values: &inner.values, signature: &inner.signature, options, panels: Some(panels), ..*call };
        let in_panels = rows::in_panels(&of_rows, inner.rows)?;
        Builder::new(call, *self, layout.with_panels(&in_panels.panels), &of_rows, in_panels).program()
    }

    fn extras(&self, call: &Call<'_>, found: &WorkspaceHeader) -> Vec<Extra> {
        room(&self.rows.driver).extras(call, found)
    }

    #[cfg(feature = "parity")]
    fn trials(&self, trials: &Trials) -> Vec<Arrangement> {
        let few: &[&[usize]] = &[&[1, 1], &[1, 5], &[2, 3], &[3, 8], &[17, 4], &[2, 5, 3], &[7], &[33, 20]];
        let many: &[&[usize]] = &[&[130, 33], &[70, 64]];
        vec![trials.arrangement(&[9, 6], &[few, many].concat(), &[&[300, 129], &[5, 1000]])]
    }
}

impl Linear {
    /// The inputs of the row loss that heads make.
    fn panel_inputs(&self) -> &'static [&'static str] {
        const ONE: &[&str] = &["logits"];
        const BOTH: &[&str] = &["logits", "teacher_logits"];
        if self.heads.len() > 1 { BOTH } else { ONE }
    }

    /// Whether only the rows that count are multiplied: where rows may change their places.
    fn compacts(&self, signature: &Signature) -> bool {
        let has_own_rows = signature.inputs.iter().any(|(input, _)| input.shape == Shape::HeadRows);
        !has_own_rows && (signature.has_labels() || signature.is_masked())
    }

    /// What all logits are multiplied with. A temperature that the row loss does not know itself is a part of it:
    /// s·tanh(x/s)/T is s'·tanh((x/T)/s') with s' = s/T.
    pub(crate) fn logit_scale(&self, values: &Values) -> f64 {
        match self.cosine {
            Some(cosine) => values.number("scale") * f64::from(cosine.factor),
            None => values.number_or("logit_scale", 1.0) / self.temperature(values),
        }
    }

    /// Rows of the head that belong to a class.
    pub(crate) fn centers(&self) -> u64 {
        self.cosine.map_or(1, |cosine| cosine.centers.into())
    }

    fn temperature(&self, values: &Values) -> f64 {
        let is_own = self.rows.params.iter().any(|param| param.name == "temperature");
        if is_own { 1.0 } else { values.number_or("temperature", 1.0) }
    }

    /// The least number of classes of the row loss.
    pub(crate) fn least_classes(&self, values: &Values) -> usize {
        let least = self.rows.rows().map(|rows| rows.least_classes);
        self.values_of_rows(values).ok().zip(least).map_or(1, |(values, least)| least(&values))
    }

    /// The parameters of the row loss.
    pub(crate) fn values_of_rows(&self, values: &Values) -> Result<Values, Error> {
        let temperature = self.temperature(values);
        let of = |name: &str, default: Value| match values.get(name) {
            Some(Value::Number(softcap)) if name == "softcap" => {
                Value::Number((f64::from(softcap) / temperature) as f32)
            }
            found => found.unwrap_or(default),
        };
        Values::new(self.rows, self.rows.params.iter().map(|param| of(param.name, param.default)).collect())
    }
}

/// The call of the row loss.
struct OfRows {
    rows: Rows,
    values: Values,
    signature: Signature,
    options: Options,
}

impl OfRows {
    fn new(linear: &Linear, values: &Values, whole: &Signature, options: &Options) -> Result<Self, Error> {
        let spec: &'static LossSpec = linear.rows;
        let Driver::Rows(rows) = spec.driver else { unreachable!("a linear loss is of a row loss") };
        let values = linear.values_of_rows(values)?;
        let gradients = if options.gradients == Gradients::Skip { Gradients::Skip } else { Gradients::InPlace };
        // An accumulated gradient's weight is a factor like the upstream.
        let upstream = options.gradient_scale() as f32;
        let options = Options { gradients, upstream, frozen: &[], ..*options };
        let items = whole.items as usize;
        let classes = whole.head_classes() as usize;
        let stride = classes.next_multiple_of(layout::QUAD as usize);
        let logits = TensorType::new(DType::F32, [items, classes]).with_row_stride(stride);
        let mut types = Named::new();
        for input in spec.inputs.iter().chain([&MASK, &UPSTREAM, &DIVISOR]) {
            let given = linear.input_of(input).and_then(|name| whole.input(name));
            let ty = match given {
                _ if linear.panel_inputs().contains(&input.name) => logits.clone(),
                // A place without a row is left out.
                _ if input.name == MASK.name => TensorType::new(DType::I32, [items]),
                Some(ty) => OfRows::type_of(ty, input.kind, input.shape, items),
                None => continue,
            };
            types = types.with(input.name, ty);
        }
        let signature = Signature::new(spec, &values, &types, &options)?;
        let signature = Signature { batch: whole.batch, ..signature };
        Ok(OfRows { rows, values, signature, options })
    }

    /// The type of a tensor of the whole in the call of the row loss: values of items are f32 or i32 in a row.
    fn type_of(ty: &TensorType, kind: Kind, shape: Shape, items: usize) -> TensorType {
        let dtype = if kind == Kind::Index { DType::I32 } else { DType::F32 };
        match shape {
            Shape::Items => TensorType::new(dtype, [items]),
            Shape::OneOrItems if ty.elements() != 1 => TensorType::new(dtype, [items]),
            Shape::Rows => TensorType::new(ty.dtype, [items, ty.shape.last().copied().unwrap_or(1)]),
            _ => ty.clone(),
        }
    }
}

impl Linear {
    /// The input of the whole that an input of the row loss is, unless heads make it: the items' weight has a name of
    /// its own, since the head's is `weight`.
    pub(crate) fn input_of(&self, of_rows: &'static Input) -> Option<&'static str> {
        match of_rows.name {
            name if name == WEIGHT.name => Some(ITEM_WEIGHT.name),
            "target" => Some(self.target),
            name => (!self.panel_inputs().contains(&name)).then_some(name),
        }
    }
}
