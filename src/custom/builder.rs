//! The parts of a loss that is made while the program runs, put together one by one.

use std::any::TypeId;

use super::{
    CustomFault, CustomLoss, inputs, known,
    words::{
        MOST_ELSES, MOST_WORDS, declared, is_identifier, last_else, longest_statement, of_whole_shaders, types_of,
        unclosed,
    },
};
use crate::{
    Error,
    kernel::Place,
    losses,
    spec::{CLASS_WEIGHT, Closure, Domain, Input, Item, MeanOver, Param, Rule, Shape, Term, Value, Values},
};

/// A [`CustomLoss`] in the making.
///
/// ```
/// use wgloss::{CustomLoss, Gpu, Loss, Reduction, reference::Term, spec::Rule};
///
/// let charbonnier = CustomLoss::elementwise(
///     "charbonnier",
///     "fn loss_and_grad(p: f32, t: f32) -> vec2<f32> {
///         let e = p - t;
///         let root = sqrt(e * e + params.epsilon * params.epsilon);
///         return vec2<f32>(root, e / root);
///     }",
/// )
/// .param_within("epsilon", 4.0, Rule::Positive)
/// .reference(|item, values| {
///     let e = item["prediction"] - item["target"];
///     let root = e.hypot(values.number("epsilon"));
///     Term::new(root, [e / root])
/// })
/// .build()?;
///
/// let gpu = Gpu::new_blocking()?;
/// let result = charbonnier.eval(&gpu, &[4.0_f32], &[1.0_f32], Reduction::Sum)?;
/// assert_eq!(result.loss.item(), 5.0);
/// # #[cfg(feature = "parity")] {
/// let report = wgloss::parity::check(&gpu, charbonnier.spec(), wgloss::parity::Effort::Quick, &mut |_, _| {})?;
/// assert!(report.passed(), "{:?}", report.failures);
/// # }
/// # Ok::<(), wgloss::Error>(())
/// ```
#[must_use = "`build` makes the loss"]
pub struct CustomLossBuilder {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) wgsl: String,
    /// Of a loss of rows, what its mean divides by.
    pub(super) rows: Option<MeanOver>,
    pub(super) inputs: Vec<Input>,
    pub(super) params: Vec<OwnParam>,
    pub(super) reference: Option<OwnReference>,
}

/// A parameter whose name is not known before the program runs.
pub(super) struct OwnParam {
    pub name: String,
    pub default: Value,
    pub rule: Rule,
}

impl OwnParam {
    pub fn is(&self, param: &Param) -> bool {
        self.name == param.name && self.default == param.default && self.rule == param.rule
    }
}

/// A closure, and what tells it from others: its type, where it holds nothing.
pub(super) struct OwnReference {
    pub closure: Box<dyn FnOnce() -> Closure>,
    pub identity: Option<TypeId>,
}

impl CustomLossBuilder {
    pub(super) fn elementwise(name: &str, wgsl: &str) -> Self {
        let inputs = [
            Input::differentiable("prediction", Shape::Items, Domain::Real),
            Input::constant("target", Shape::Items, Domain::Real),
        ];
        CustomLossBuilder {
            name: name.to_string(),
            file: format!("{name}.wgsl"),
            wgsl: wgsl.to_string(),
            rows: None,
            inputs: inputs.to_vec(),
            params: Vec::new(),
            reference: None,
        }
    }

    pub(super) fn rows(name: &str, wgsl: &str) -> Self {
        let inputs =
            [Input::differentiable("logits", Shape::Rows, Domain::Real), Input::classes("target", Shape::Items)];
        let inputs = inputs.to_vec();
        CustomLossBuilder { rows: Some(MeanOver::Rows), inputs, ..CustomLossBuilder::elementwise(name, wgsl) }
    }

    /// A loss of elements or of rows, as its hooks tell.
    pub(super) fn of_hooks(name: &str, wgsl: &str) -> Self {
        let has_rows = declared(wgsl).iter().any(|word| ["row_outcome", "class_gradient"].contains(&word.text));
        if has_rows { CustomLossBuilder::rows(name, wgsl) } else { CustomLossBuilder::elementwise(name, wgsl) }
    }

    /// What messages call the WGSL; the loss's name and `.wgsl` without it.
    pub fn file(self, file: &str) -> Self {
        CustomLossBuilder { file: file.to_string(), ..self }
    }

    /// Adds a parameter by its default: a number (`1.0`, f32 in the hook), a whole number (`1`, i32) or a flag (`true`,
    /// u32). It may have any value of its kind.
    pub fn param(self, name: &str, default: impl Into<Value>) -> Self {
        let default = default.into();
        let rule = match default {
            Value::Number(_) => Rule::Finite,
            Value::Integer(_) => Rule::Integer,
            Value::Flag(_) => Rule::Flag,
            Value::Word(_) => Rule::Word(&[]),
        };
        self.param_within(name, default, rule)
    }

    /// Adds a parameter with a rule for its values, by which parity also knows what to try.
    pub fn param_within(mut self, name: &str, default: impl Into<Value>, rule: Rule) -> Self {
        self.params.push(OwnParam { name: name.to_string(), default: default.into(), rule });
        self
    }

    /// Replaces the inputs by others: what the hook takes, in order, the first one differentiable. `weight`, `mask` and
    /// `upstream` every loss takes, and they need not be named.
    pub fn inputs(self, inputs: &[Input]) -> Self {
        CustomLossBuilder { inputs: inputs.to_vec(), ..self }
    }

    /// Adds an input behind the others, such as an optional one.
    pub fn input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// Sets what the input `target` may be, of which some domains are checked: see [`Domain`].
    pub fn target(mut self, domain: Domain) -> Self {
        self.inputs.iter_mut().filter(|input| input.name == "target").for_each(|input| input.domain = domain);
        self
    }

    /// Adds weights of the classes to a loss of rows, and says whether a mean divides by those of the targets.
    pub fn class_weight(self, mean_over: MeanOver) -> Self {
        let rows = self.rows.map(|_| mean_over);
        CustomLossBuilder { rows, ..self }.input(CLASS_WEIGHT)
    }

    /// Gives the loss a reference: loss and gradients of an item in f64, in a form that is independent of the hook's.
    ///
    /// One that captures values is never taken for another, so that each loss made with it stays in memory: make such a
    /// loss once.
    pub fn reference<F>(self, reference: F) -> Self
    where
        F: Fn(&Item<'_>, &Values) -> Term + Send + Sync + 'static,
    {
        let identity = (size_of::<F>() == 0).then(TypeId::of::<F>);
        let closure = Box::new(|| Closure(Box::leak(Box::new(reference))));
        CustomLossBuilder { reference: Some(OwnReference { closure, identity }), ..self }
    }

    /// Makes the loss, after a test of its hooks with every part of wgloss that they are joined to.
    ///
    /// # Errors
    /// [`Error::Custom`] says what is wrong with its name, hooks, parameters or inputs, [`Error::Shader`] where its
    /// WGSL does not compile, and [`Error::Spec`] what else its driver needs.
    pub fn build(self) -> Result<CustomLoss, Error> {
        self.check().map_err(|fault| Error::Custom { loss: self.name.clone(), fault: Box::new(fault) })?;
        let spec = known::known(self)?;
        Ok(CustomLoss(spec.values(&[])?))
    }

    /// What can be told before there is a kernel.
    fn check(&self) -> Result<(), CustomFault> {
        if !is_identifier(&self.name) {
            return Err(CustomFault::Name);
        }
        if losses::find(&self.name).is_ok() {
            return Err(CustomFault::BuiltIn);
        }
        for (place, param) in self.params.iter().enumerate() {
            let refused = |rule| Err(CustomFault::ParameterName { parameter: param.name.clone(), rule });
            if !is_identifier(&param.name) || param.name.starts_with("__") {
                return refused(
                    "it must be letters, digits and underscores, with no digit and no two underscores first",
                );
            }
            if self.params[..place].iter().any(|other| other.name == param.name) {
                return refused("there is one already");
            }
            if !param.rule.allows(param.default) {
                let (parameter, rule) = (param.name.clone(), param.rule);
                return Err(CustomFault::Default { parameter, rule, found: param.default.to_string() });
            }
        }
        for (place, input) in self.inputs.iter().enumerate() {
            if let Some(rule) = inputs::refused(input, &self.inputs[..place], self.rows.is_some()) {
                return Err(CustomFault::Input { input: input.name, rule });
            }
        }
        if let Some(sign) = unclosed(&self.wgsl) {
            let location = Place::of(&self.file, &self.wgsl, sign.byte).to_string();
            return Err(CustomFault::Unclosed { location, sign: sign.text.to_string() });
        }
        let too_long = [
            (longest_statement(&self.wgsl), "a statement", MOST_WORDS),
            (last_else(&self.wgsl), "a chain of `else`", MOST_ELSES),
        ];
        for (begin, what, most) in too_long {
            if let Some(begin) = begin {
                let location = Place::of(&self.file, &self.wgsl, begin.byte).to_string();
                return Err(CustomFault::TooLong { location, what, most });
            }
        }
        if let Some(sign) = of_whole_shaders(&self.wgsl) {
            let location = Place::of(&self.file, &self.wgsl, sign.byte).to_string();
            return Err(CustomFault::WholeShader { location, sign: sign.text.to_string() });
        }
        for hook in self.hooks() {
            if types_of(&self.wgsl, hook).is_none() {
                return Err(CustomFault::MissingHook { file: self.file.clone(), signature: self.signature(hook) });
            }
        }
        Ok(())
    }

    /// The functions that the driver calls.
    pub(super) fn hooks(&self) -> &'static [&'static str] {
        if self.rows.is_some() { &["row_outcome", "class_gradient"] } else { &["loss_and_grad"] }
    }

    /// A hook as the driver calls it.
    fn signature(&self, hook: &str) -> String {
        inputs::signature(hook, &self.inputs)
    }
}
