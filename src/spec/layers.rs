//! Inputs that there is one of for each layer.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use super::{Input, LossSpec, Shape};

/// How the name ends of an input that is the first layer's.
const FIRST: &str = ".0";

impl Input {
    /// What its names have in common in all layers: `features.` of `features.0`.
    fn stem(&self) -> Option<&'static str> {
        self.per_layer.then(|| self.name.strip_suffix(&FIRST[1..])).flatten()
    }

    /// Its name whatever the layer: `features.k` of `features.0`. Of inputs that there is one of, its name.
    ///
    /// ```
    /// use wgloss::losses::PERCEPTUAL;
    /// let symbols: Vec<String> = PERCEPTUAL.inputs.iter().map(|input| input.symbol()).collect();
    /// assert_eq!(symbols, ["features.k", "target_features.k", "layer_weights"]);
    /// ```
    pub fn symbol(&self) -> String {
        self.stem().map_or_else(|| self.name.to_string(), |stem| format!("{stem}k"))
    }

    /// The layer whose input has this name, if it is one of these inputs. Numbers are written as they are counted.
    pub(crate) fn layer_of(&self, name: &str) -> Option<usize> {
        let number = name.strip_prefix(self.stem()?)?;
        number.parse().ok().filter(|layer: &usize| layer.to_string() == number)
    }

    /// The same input of another layer.
    pub(crate) fn of_layer(&'static self, layer: usize) -> &'static Input {
        /// Every input is made once, as long as the program runs.
        static MADE: LazyLock<Mutex<HashMap<(usize, usize), &'static Input>>> = LazyLock::new(Mutex::default);
        let Some(stem) = self.stem().filter(|_| layer > 0) else { return self };
        let name = |stem: &str| -> &'static str { format!("{stem}{layer}").leak() };
        let make = || -> &'static Input {
            let shape = match self.shape {
                Shape::Like(other) => Shape::Like(name(other.strip_suffix(&FIRST[1..]).unwrap_or(other))),
                shape => shape,
            };
            Box::leak(Box::new(Input { name: name(stem), shape, ..*self }))
        };
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry((std::ptr::from_ref(self).addr(), layer)).or_insert_with(make)
    }
}

impl LossSpec {
    /// How many layers there are where the inputs have these names; one at least, which is then missing. 0 for a loss
    /// without inputs of layers.
    pub(crate) fn layers_among<'n>(&self, names: impl Iterator<Item = &'n str>) -> usize {
        let first = self.inputs.iter().find(|input| input.per_layer);
        first.map_or(0, |first| names.filter(|name| first.layer_of(name).is_some()).count().max(1))
    }

    /// The inputs of a layer, in the order of the loss's.
    pub(crate) fn inputs_of_layer(&self, layer: usize) -> impl Iterator<Item = &'static Input> + use<> {
        self.inputs.iter().filter(|input| input.per_layer).map(move |input| input.of_layer(layer))
    }

    /// All inputs of a call with so many layers: those of each layer, then the others.
    pub(crate) fn inputs_with_layers(&self, layers: usize) -> impl Iterator<Item = &'static Input> + use<> {
        let of_layers = |layer| self.inputs_of_layer(layer);
        let of_layers: Vec<_> = (0..layers).flat_map(of_layers).collect();
        of_layers.into_iter().chain(self.all_inputs().filter(|input| !input.per_layer))
    }
}
