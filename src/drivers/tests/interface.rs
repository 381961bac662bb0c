//! The interfaces in `shaders/` say what kernels are given: with one in place of its header a kernel compiles, and both
//! declare the same.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
    sync::Arc,
};

use super::{
    calls::{forms, simplest},
    declarations::{Declaration, declarations},
    kernels::shader_files,
};
use crate::{
    kernel::{Kernel, Text},
    losses::{
        ARCFACE, CE_DICE, CLIP, COSFACE, CROSS_ENTROPY, DICE, DISTILLATION, FOCAL_DICE, HUBER, INFO_NCE, IOU,
        JENSEN_SHANNON_TOP_K, LINEAR_CROSS_ENTROPY, LINEAR_DISTILLATION, LOG_SOFTMAX, NT_XENT, PERCEPTUAL,
        POLICY_CLIP_OF_LOGITS, POLICY_SEQUENCE, POLICY_SEQUENCE_OF_LOGITS, PREFERENCE_OF_LOGITS, SOFTMAX, STYLE,
        SUBCENTER_ARCFACE, SUP_CON, TRIPLET_BATCH_ALL, TRIPLET_BATCH_HARD, TRIPLET_MARGIN, TRIPLET_SEMI_HARD,
    },
    spec::{LossSpec, Rule, ShaderFile, shader_file},
};

/// An interface, how the path begins of a file that all kernels with it have, and losses that have all that it says.
struct Interface {
    file: ShaderFile,
    of: &'static str,
    losses: &'static [&'static LossSpec],
}

static INTERFACES: [Interface; 17] = [
    Interface {
        file: shader_file!("drivers/elementwise/interface.wgsl"),
        of: "drivers/elementwise/evaluate.wgsl",
        losses: &[&HUBER],
    },
    Interface { file: shader_file!("drivers/fold/interface.wgsl"), of: "drivers/fold/fold.wgsl", losses: &[&HUBER] },
    Interface {
        file: shader_file!("drivers/boxes/interface.wgsl"),
        of: "drivers/boxes/evaluate.wgsl",
        losses: &[&IOU],
    },
    Interface {
        file: shader_file!("drivers/pairs/interface.wgsl"),
        of: "drivers/pairs/evaluate.wgsl",
        losses: &[&TRIPLET_MARGIN],
    },
    Interface {
        file: shader_file!("drivers/rows/interface.wgsl"),
        of: "drivers/rows/rows.wgsl",
        losses: &[&CROSS_ENTROPY, &DISTILLATION, &SOFTMAX, &LOG_SOFTMAX, &POLICY_CLIP_OF_LOGITS, &JENSEN_SHANNON_TOP_K],
    },
    Interface {
        file: shader_file!("drivers/regions/interface_of_pixels.wgsl"),
        of: "drivers/regions/pixels.wgsl",
        losses: &[&DICE, &CE_DICE, &FOCAL_DICE],
    },
    Interface {
        file: shader_file!("drivers/regions/interface_of_scores.wgsl"),
        of: "drivers/regions/score_regions.wgsl",
        losses: &[&DICE, &CE_DICE, &FOCAL_DICE],
    },
    Interface {
        file: shader_file!("drivers/all_pairs/interface.wgsl"),
        of: "drivers/all_pairs/records.wgsl",
        losses: &[&TRIPLET_BATCH_HARD, &TRIPLET_SEMI_HARD, &TRIPLET_BATCH_ALL, &INFO_NCE, &CLIP, &NT_XENT, &SUP_CON],
    },
    Interface {
        file: shader_file!("drivers/finalize/interface.wgsl"),
        of: "drivers/finalize/finalize.wgsl",
        losses: &[&HUBER, &CE_DICE],
    },
    Interface { file: shader_file!("drivers/divisor/interface.wgsl"), of: "drivers/divisor/", losses: &[&STYLE] },
    Interface { file: shader_file!("drivers/sum/interface.wgsl"), of: "drivers/sum/combine", losses: &[&PERCEPTUAL] },
    Interface {
        file: shader_file!("drivers/sum/interface_of_spread.wgsl"),
        of: "drivers/sum/spread",
        losses: &[&PERCEPTUAL],
    },
    Interface { file: shader_file!("drivers/gram/interface.wgsl"), of: "drivers/gram/", losses: &[&STYLE] },
    Interface {
        file: shader_file!("drivers/linear/interface.wgsl"),
        of: "drivers/linear/",
        losses: &[&LINEAR_CROSS_ENTROPY, &LINEAR_DISTILLATION, &ARCFACE, &COSFACE, &SUBCENTER_ARCFACE],
    },
    Interface {
        file: shader_file!("drivers/sequences/interface.wgsl"),
        of: "drivers/sequences/",
        losses: &[&POLICY_SEQUENCE, &POLICY_SEQUENCE_OF_LOGITS, &PREFERENCE_OF_LOGITS],
    },
    Interface {
        file: shader_file!("drivers/judge/interface.wgsl"),
        of: "drivers/judge/",
        losses: &[&POLICY_SEQUENCE, &PREFERENCE_OF_LOGITS],
    },
    Interface {
        file: shader_file!("drivers/top_k/interface.wgsl"),
        of: "drivers/top_k/",
        losses: &[&JENSEN_SHANNON_TOP_K],
    },
];

/// The interface of what every kernel has.
const LIB: ShaderFile = shader_file!("lib/interface.wgsl");

impl Interface {
    /// The kernels of the simplest calls of its losses.
    fn kernels(&self) -> HashSet<(&'static str, Arc<Kernel>)> {
        let of = |spec: &'static LossSpec| {
            let kernels = forms(spec).into_iter().flat_map(|call| call.program().steps).map(|step| step.kernel);
            let kernels = kernels.filter(|kernel| kernel.files.iter().any(|file| file.path.starts_with(self.of)));
            kernels.map(|kernel| (spec.name, kernel)).collect::<Vec<_>>()
        };
        self.losses.iter().flat_map(|spec| of(spec)).collect()
    }

    /// Those of them that take no quads at once, where there are such, and have no words named after inputs.
    fn plain_kernels(&self) -> Vec<Arc<Kernel>> {
        let kernels: Vec<Arc<Kernel>> = self.kernels().into_iter().map(|(_, kernel)| kernel).collect();
        let has_own_words = |kernel: &Kernel| kernel.call.iter().any(|(name, _)| matches!(name, Cow::Owned(_)));
        let is_plain = |kernel: &Arc<Kernel>| kernel.tensors.iter().all(|view| !view.quads) && !has_own_words(kernel);
        let plain: Vec<Arc<Kernel>> = kernels.iter().filter(|kernel| is_plain(kernel)).cloned().collect();
        if plain.is_empty() { kernels } else { plain }
    }
}

/// A kernel's text with an interface in place of its header. What is the loss's own is made as in the header: the
/// parameters and the constants that they become.
fn with_interface(kernel: &Kernel, interface: ShaderFile) -> Text {
    let declared: Vec<String> = declarations(interface.source).into_iter().map(|known| known.name).collect();
    let own = Kernel {
        call: Vec::new(),
        constants: kernel.constants.iter().filter(|(name, _)| !declared.contains(name)).cloned().collect(),
        tensors: Vec::new(),
        glue: String::new(),
        ..kernel.clone()
    };
    let mut text = Text::default();
    text.file(LIB);
    kernel.lib().for_each(|file| text.file(file));
    text.generated(&own.header());
    text.file(interface);
    kernel.files.iter().for_each(|file| text.file(*file));
    text
}

#[test]
fn with_its_interface_in_place_of_its_header_a_kernel_is_valid() {
    let mut joined = BTreeSet::new();
    for interface in &INTERFACES {
        let mut texts = HashSet::new();
        for (loss, kernel) in interface.kernels() {
            let text = with_interface(&kernel, interface.file);
            joined.extend(kernel.files.iter().map(|file| file.source));
            if texts.insert(text.source.clone())
                && let Err(error) = text.module()
            {
                panic!("{} of {loss}: {error:?}", interface.file.path);
            }
        }
    }
    // Every file of every driver has been read so.
    for (path, source) in shader_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders/drivers")) {
        let is_interface = INTERFACES.iter().any(|interface| interface.file.source == source);
        assert_ne!(is_interface, joined.contains(source.as_str()), "{}", path.display());
    }
}

/// Whether a constant comes from the parameters of a loss: what the kernel is compiled for, or the number of a word.
fn is_of_params(spec: &LossSpec, constant: &str) -> bool {
    let is_word = |name: &str| constant.strip_prefix(&name.to_uppercase()).is_some_and(|rest| rest.starts_with('_'));
    let mut words = spec.params.iter().filter(|param| matches!(param.rule, Rule::Word(_)));
    constant.starts_with("COMPILED_") || words.any(|param| is_word(param.name))
}

/// What a text declares by kind and name, each member of `Call` for itself. Variables are told by their names alone,
/// because they hold another type for each storage type.
fn declared(text: &str) -> BTreeMap<(String, String), String> {
    let members = |call: &Declaration| -> Vec<_> {
        let members = call.what.split_terminator(',').filter_map(|member| member.trim().split_once(": "));
        members.map(|(name, ty)| (("call".to_string(), name.to_string()), ty.to_string())).collect()
    };
    let entries = declarations(text).into_iter().flat_map(|found| match (&*found.kind, &*found.name) {
        ("struct", "Call") => members(&found),
        ("struct", "Params") | ("var", "params") => Vec::new(),
        ("var", _) => vec![((found.kind, found.name), String::new())],
        _ => vec![((found.kind, found.name), found.what)],
    });
    entries.collect()
}

#[test]
fn an_interface_declares_what_headers_do() {
    let huber = simplest(&HUBER).program().steps.swap_remove(0);
    assert_eq!(declared(LIB.source), declared(&huber.kernel.sizes()));
    for interface in &INTERFACES {
        let Interface { file, losses, .. } = interface;
        let said = declared(file.source);
        let mut given = BTreeSet::new();
        for kernel in interface.plain_kernels() {
            for (name, what) in declared(&kernel.header()) {
                let is_own = name.0 == "const" && losses.iter().any(|spec| is_of_params(spec, &name.1));
                if !is_own || said.contains_key(&name) {
                    assert_eq!(said.get(&name), Some(&what), "{name:?} of {}", file.path);
                }
                given.insert(name);
            }
        }
        let more: Vec<_> = said.keys().filter(|name| !given.contains(*name)).collect();
        assert!(more.is_empty(), "only {} has {more:?}", file.path);
    }
}
