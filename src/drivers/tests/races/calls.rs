//! Calls and operations whose kernels are tried with lanes in other orders.

use super::super::{asked::Plain, ops};
use crate::{
    DType, Gpu, Gradients, Options, Reduce, Reduction,
    RowKernel::{self, Lane, Parts, Workgroup},
    Statistics, TensorType, Tuning,
    gpu::Machine,
    losses::ALL,
    program::Program,
    spec::Values,
};
/// A call of a loss whose kernels are tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    pub loss: &'static str,
    pub settings: &'static [(&'static str, &'static str)],
    pub shape: &'static [usize],
    pub broadcast: &'static [&'static [usize]],
    pub reduction: Reduction,
    pub statistics: Statistics,
    pub dtype: DType,
    pub gradients: Gradients,
    pub roomy: bool,
    pub rows: RowKernel,
    pub cached_classes: u32,
    /// Labels are below.
    pub labels: i32,
    /// The most bytes of a binding, if those are to be few.
    pub binding: Option<u64>,
    /// The largest float of tensors of several axes.
    pub scale: f32,
}

pub(super) const fn of(loss: &'static str, shape: &'static [usize]) -> Tried {
    Tried {
        loss,
        settings: &[],
        shape,
        broadcast: &[],
        reduction: Reduction::Mean,
        statistics: NO_STATISTICS,
        dtype: DType::F32,
        gradients: Gradients::Write,
        roomy: false,
        rows: RowKernel::BySize,
        cached_classes: 0,
        labels: 2,
        binding: None,
        scale: 1.0,
    }
}

impl Tried {
    pub(super) const fn with(self, settings: &'static [(&'static str, &'static str)]) -> Self {
        Tried { settings, ..self }
    }

    pub(super) const fn by(self, rows: RowKernel, labels: i32) -> Self {
        Tried { rows, labels, ..self }
    }

    pub(super) const fn cached(self) -> Self {
        Tried { cached_classes: 1536, ..self }
    }

    pub(super) const fn roomy(self) -> Self {
        Tried { roomy: true, ..self }
    }

    pub(super) const fn in_place(self, dtype: DType) -> Self {
        Tried { dtype, gradients: Gradients::InPlace, ..self }
    }

    pub(super) const fn reduced(self, reduction: Reduction) -> Self {
        Tried { reduction, ..self }
    }

    fn machine(&self, gpu: &Gpu, lanes: u32, reduce: Reduce) -> Machine {
        let tuning = Tuning {
            workgroup_size: lanes,
            // Few, so that each has several items.
            workgroups: 3,
            reduce,
            rows: self.rows,
            cached_classes: self.cached_classes,
            ..gpu.tuning()
        };
        let mut machine = machine(gpu, tuning);
        if let Some(binding) = self.binding {
            machine.limits.max_storage_buffer_binding_size = binding;
        }
        machine
    }
}

fn machine(gpu: &Gpu, tuning: Tuning) -> Machine {
    Machine { tuning, table: gpu.tuning(), ..gpu.machine().clone() }
}

/// Triplets whose squares overflow: they are measured again, as all lanes agree.
pub(super) const HUGE: Tried = Tried { scale: 1e30, ..of("triplet_margin", &[13, 1_101]) };

const NO_STATISTICS: Statistics = Statistics {
    log_sum_exp: false,
    argmax: false,
    entropy: false,
    log_prob: false,
    hardest: false,
    clipped: false,
    kl: false,
};

const OF_POLICIES: Statistics = Statistics { clipped: true, kl: true, ..NO_STATISTICS };

/// Calls whose kernels are those of all drivers.
const CALLS: &[Tried] = &[
    of("bce", &[4_003]).reduced(Reduction::WeightedMean),
    of("bce", &[4_003]).in_place(DType::F16).roomy(),
    Tried { broadcast: &[&[3, 1, 50], &[3, 70, 50], &[1, 1, 50]], ..of("mse", &[3, 70, 50]) },
    of("ciou", &[1_001, 4]).reduced(Reduction::WeightedMean),
    of("triplet_margin", &[13, 1_101]).with(&[("distance", "cosine"), ("swap", "true")]),
    HUGE,
    of("cosine_embedding", &[13, 1_101]).in_place(DType::F16),
    // Rows: kept in workgroup memory or not, by quads that rows share or not, by elements, by halves.
    of("cross_entropy", &[7, 1_101]).by(Workgroup, 1_101).cached().reduced(Reduction::WeightedMean),
    of("cross_entropy", &[7, 1_101]).by(Workgroup, 1_101).cached().in_place(DType::F32).roomy(),
    of("cross_entropy", &[7, 1_101]).by(Workgroup, 1_101).cached().in_place(DType::F16),
    of("cross_entropy", &[7, 1_101]).by(Workgroup, 1_101).in_place(DType::BF16),
    of("distillation", &[5, 1_101]).by(Workgroup, 1_101).cached(),
    of("distillation", &[5, 1_100]).by(Workgroup, 1_100).cached().in_place(DType::F16).roomy(),
    of("softmax", &[7, 1_101]).by(Workgroup, 1).in_place(DType::F16).reduced(Reduction::None),
    of("multi_margin", &[701, 15]).by(Lane, 15).in_place(DType::F16),
    // With values and statistics of their own for each row.
    Tried { statistics: OF_POLICIES, ..of("policy_clip_of_logits", &[7, 1_101]).by(Workgroup, 1_101) },
    Tried { statistics: OF_POLICIES, ..of("policy_clip_of_logits", &[3, 15, 71]).by(Parts, 15).in_place(DType::F16) },
    of("cross_entropy", &[3, 15, 71]).by(Lane, 15).in_place(DType::F16),
    of("distillation", &[3, 9_001]).by(Parts, 9_001).in_place(DType::F16),
    of("distillation", &[3, 9_001]).by(Parts, 9_001).roomy(),
    of("distillation", &[3, 9_001]).by(Parts, 9_001).with(&[("divergence", "reverse")]),
    of("multi_margin", &[3, 9_001]).by(Parts, 9_001).in_place(DType::F16),
    of("cross_entropy", &[3, 9_001]).by(Parts, 9_001).in_place(DType::F32).roomy(),
    of("softmax", &[2, 40, 33]).by(Parts, 1).reduced(Reduction::None),
    // Regions: a strip of classes, pairs of pixels, several strips; with a term for each pixel.
    of("dice", &[2, 3, 1_501]).with(&[("scope", "sample")]),
    of("dice", &[2, 3, 1_500]).in_place(DType::F16),
    of("dice", &[1, 21, 1_501]).in_place(DType::BF16).reduced(Reduction::WeightedMean),
    of("ce_dice", &[2, 3, 1_501]),
    of("focal_dice", &[1, 45, 501]).in_place(DType::F32),
    // Pairs of a batch.
    of("nt_xent", &[70, 37]),
    of("clip", &[50, 65]),
    // Several panels, whose anchors are given to by several parts.
    Tried { binding: Some(1 << 15), ..of("nt_xent", &[150, 3]) },
    Tried { binding: Some(1 << 16), labels: 7, ..of("triplet_batch_all", &[150, 3]).with(&[("distance", "cosine")]) },
    of("clip", &[50, 65]).in_place(DType::F16),
    Tried { labels: 7, ..of("triplet_batch_hard", &[150, 9]).with(&[("distance", "cosine")]) },
    Tried { labels: 7, ..of("triplet_batch_hard", &[90, 9]).in_place(DType::F16) },
    Tried { labels: 7, ..of("triplet_batch_all", &[70, 33]).with(&[("triplets", "semi_hard")]) },
    Tried { labels: 7, ..of("triplet_semi_hard", &[60, 5]).with(&[("distance", "cosine")]) },
    // Matrices of a layer's channels, and sums of losses.
    of("style", &[3, 9, 301]),
    of("style", &[2, 9, 300]).in_place(DType::F16).roomy(),
    of("perceptual", &[2, 9, 301]),
    // Heads: rows of whole quads and others; halves that rows share words of; several panels; two heads.
    Tried { labels: 37, ..of("linear_cross_entropy", &[70, 37]) },
    Tried { labels: 37, ..of("linear_cross_entropy", &[70, 37]).in_place(DType::F16) },
    Tried { labels: 36, binding: Some(1 << 14), ..of("linear_focal", &[70, 36]).roomy() },
    Tried { labels: 37, ..of("arcface", &[70, 37]) },
    Tried { labels: 37, ..of("cosface", &[70, 37]).in_place(DType::F16) },
    Tried { labels: 13, ..of("subcenter_arcface", &[70, 13]) },
    Tried { labels: 40, ..of("linear_distillation", &[30, 40]).in_place(DType::BF16) },
    of("vae", &[30, 50]).reduced(Reduction::Sum),
    // Tokens of sequences.
    of("policy_sequence", &[701]),
    of("cpo_of_logits", &[130, 37]).in_place(DType::F16),
    // A teacher's top k: of rows in workgroup memory, by parts, and of what is cleared.
    of("jensen_shannon_top_k", &[7, 1_101]).with(&[("tail", "bucket")]).by(Workgroup, 1_101).cached(),
    of("jensen_shannon_top_k", &[3, 9_001]).with(&[("tail", "bucket")]).by(Parts, 9_001).in_place(DType::F16),
    of("jensen_shannon_top_k", &[7, 1_101]).by(Workgroup, 1_101).in_place(DType::BF16),
];

/// Reductions that an adapter has for so many lanes.
pub(super) fn reductions(gpu: &Gpu, lanes: u32) -> Vec<Reduce> {
    let tuning = |reduce| Tuning { workgroup_size: lanes, reduce, ..gpu.tuning() };
    let is_taken = |reduce: &Reduce| tuning(*reduce).check(gpu.info(), gpu.device().features(), gpu.limits()).is_ok();
    [Reduce::Workgroup, Reduce::Subgroup].into_iter().filter(is_taken).collect()
}

/// A program to try.
pub(super) struct Trial {
    pub what: String,
    pub tensors: Vec<(String, TensorType)>,
    pub program: Program,
    /// Of a loss.
    pub values: Option<Values>,
    pub labels: i32,
    pub scale: f32,
}

impl Trial {
    /// Whether an adapter binds the tensors of each step.
    pub(super) fn is_bound_by(&self, gpu: &Gpu) -> bool {
        let most = gpu.limits().max_storage_buffers_per_shader_stage as usize;
        self.program.steps.iter().all(|step| step.kernel.tensors.len() <= most)
    }
}

/// The program of a call, by so many lanes that reduce like this.
pub(super) fn of_loss(gpu: &Gpu, lanes: u32, reduce: Reduce, tried: &Tried) -> Trial {
    let spec = ALL.iter().find(|spec| spec.name == tried.loss).expect("the catalogue has it");
    let Tried { shape, broadcast, reduction, statistics, dtype, gradients, roomy, labels, scale, .. } = *tried;
    let options = Options { gradients, statistics, ..Options::new(reduction) };
    let plain = Plain { shape, broadcast, dtype, has_all_inputs: true, options, roomy };
    let values = spec.values(tried.settings).expect("it has such parameters");
    let call = plain.call(tried.machine(gpu, lanes, reduce), values);
    let tensors = call.tensors().into_iter().map(|tensor| (tensor.name, tensor.ty)).collect();
    let program = call.program();
    Trial { what: format!("{tried:?}"), tensors, program, values: Some(call.values), labels, scale }
}

/// The programs of all calls and operations, by so many lanes that reduce like this.
pub(super) fn trials(gpu: &Gpu, lanes: u32, reduce: Reduce) -> Vec<Trial> {
    let tuning = Tuning { workgroup_size: lanes, workgroups: 3, reduce, ..gpu.tuning() };
    let machine = machine(gpu, tuning);
    let of_operations = [false, true].into_iter().flat_map(|roomy| {
        let made = ops::programs_of(&machine, &ops::tensors([5_003, 9]), roomy);
        made.into_iter().map(move |ops::Made { name, tensors, program }| Trial {
            what: format!("{name}, roomy: {roomy}"),
            tensors,
            program,
            values: None,
            labels: 2,
            scale: 1.0,
        })
    });
    CALLS.iter().map(|tried| of_loss(gpu, lanes, reduce, tried)).chain(of_operations).collect()
}

/// Values of a tensor: indices below `labels`, floats from 0 to 1, or of several axes to `scale`; none is like its
/// neighbours, or those of another tensor. Log-probabilities are below 0, offsets rise to the number of tokens, and a
/// teacher's classes are distinct.
pub(super) fn contents(trial: &Trial, name: &str, ty: &TensorType) -> Vec<u8> {
    let seed = name.bytes().fold(1, |seed: u32, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let hash = |index: usize| {
        let mixed = (index as u32 ^ seed.wrapping_mul(0x27d4_eb2f)).wrapping_mul(0x9e37_79b1).rotate_left(13);
        (mixed ^ mixed >> 7).wrapping_mul(0x85eb_ca6b) >> 8
    };
    let scale = if ty.shape.len() > 1 { trial.scale } else { 1.0 };
    let scale = if name.contains("log_prob") { -scale } else { scale };
    let float = |index: usize| hash(index) as f32 / (1 << 24) as f32 * scale;
    let tokens = trial.tensors[0].1.shape.first().copied().unwrap_or(1);
    let last = ty.elements().saturating_sub(1).max(1) as usize;
    let bytes = |index: usize| match ty.dtype {
        DType::F32 => float(index).to_le_bytes().to_vec(),
        DType::F16 => half::f16::from_f32(float(index)).to_le_bytes().to_vec(),
        DType::BF16 => half::bf16::from_f32(float(index)).to_le_bytes().to_vec(),
        DType::I32 if name == "offsets" => ((tokens * index / last) as i32).to_le_bytes().to_vec(),
        DType::I32 if name == "teacher_indices" => ((index % ty.shape[1]) as i32).to_le_bytes().to_vec(),
        DType::I32 => (hash(index) as i32 % trial.labels).to_le_bytes().to_vec(),
    };
    (0..ty.extent() as usize + 4).flat_map(bytes).collect()
}
