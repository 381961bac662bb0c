//! The loops that lanes run, counted on a device, against those that rooms state.

use super::{
    asked::Asked,
    device::{Change, Device},
    one_of, ops,
};
use crate::{
    Adapter, DType, Error, Gpu, Reduce, Reduction, RowKernel, TensorType, Tuning,
    gpu::Machine,
    kernel::{Constant, FIRST_TENSOR, Kernel},
    program::{Program, Step},
};

/// So many iterations a lane may run here: so few that every span meets them at small sizes.
const LIMIT: u32 = 3000;

/// Calls whose kernels have all loops of all drivers, of more work than workgroups do at once.
const CALLS: &[Asked] = &[
    Asked::of("bce", &[], &[50_001], Reduction::WeightedMean),
    Asked::of("ciou", &[], &[20_001, 4], Reduction::WeightedMean),
    Asked::of("triplet_margin", &[("distance", "cosine"), ("swap", "true")], &[301, 37], Reduction::Mean),
    Asked::of("cosine_embedding", &[], &[31, 2049], Reduction::Mean),
    Asked::of("cross_entropy", &[], &[2001, 16], Reduction::Mean),
    Asked::of("softmax", &[], &[300, 101], Reduction::None),
    Asked::of("policy_sequence", &[], &[20_001], Reduction::Mean),
    Asked::of("cpo_of_logits", &[], &[901, 37], Reduction::Mean),
    Asked::of("jensen_shannon_top_k", &[("tail", "bucket")], &[70, 1003], Reduction::Mean),
    Asked::of("jensen_shannon_top_k", &[], &[3, 20_001], Reduction::Mean),
    Asked::of("distillation", &[], &[40, 1003], Reduction::Mean),
    Asked::of("distillation", &[("divergence", "reverse")], &[70, 7, 33], Reduction::Mean),
    Asked::of("cross_entropy", &[], &[3, 9001], Reduction::WeightedMean),
    Asked::of("dice", &[("scope", "class")], &[1, 103], Reduction::WeightedMean),
    Asked::of("dice", &[("scope", "sample_class"), ("activation", "sigmoid")], &[3, 4, 2001], Reduction::None),
    Asked::of("tversky", &[("scope", "sample")], &[40, 3, 50], Reduction::Mean),
    Asked::of("ce_dice", &[], &[2, 3, 3001], Reduction::Mean),
    Asked::of("focal_dice", &[], &[1, 45, 501], Reduction::Mean),
    Asked::of("nt_xent", &[], &[150, 37], Reduction::Mean),
    Asked::of("clip", &[], &[200, 65], Reduction::Mean),
    Asked::of("triplet_batch_hard", &[], &[300, 9], Reduction::Mean),
    Asked::of("triplet_batch_all", &[("triplets", "semi_hard")], &[200, 33], Reduction::Mean),
    Asked::of("triplet_semi_hard", &[("distance", "cosine")], &[100, 5], Reduction::Mean),
];

/// Every tuning of these lanes and workgroups that an adapter takes.
fn tunings(gpu: &Gpu) -> Vec<Tuning> {
    let table = gpu.tuning();
    let mut tunings = Vec::new();
    for lanes in [4, 8, 64, 256, 1024] {
        for reduce in [Reduce::Workgroup, Reduce::Subgroup, Reduce::SingleSubgroup] {
            for (workgroups, rows, cached_classes) in [
                (1, RowKernel::Workgroup, 1024),
                (15, RowKernel::Lane, 0),
                (2048, RowKernel::Parts, 0),
                (1, RowKernel::Parts, 0),
                (1, RowKernel::BySize, 0),
            ] {
                let tuning = Tuning { workgroup_size: lanes, workgroups, reduce, rows, cached_classes, ..table };
                if tuning.check(gpu.info(), gpu.device().features(), gpu.limits()).is_ok() {
                    tunings.push(Tuning { max_loop_iterations: LIMIT, ..tuning });
                }
            }
        }
    }
    assert!(tunings.len() >= 10, "{}: {tunings:?}", gpu.adapter_id());
    tunings
}

/// Of how many combinations an adapter runs one: each, or, where there is no time for all, every 97th.
fn turns_of_an_adapter() -> usize {
    one_of(97, 37)
}

#[test]
fn no_lane_runs_more_iterations_than_its_room_states() {
    let adapters = Adapter::all_blocking();
    assert!(!adapters.is_empty(), "no adapter to count on");
    let turns = adapters.len() * turns_of_an_adapter();
    let mut total = Compared::default();
    for (place, adapter) in adapters.iter().enumerate() {
        let gpu = adapter.open_blocking().expect("the adapter opens");
        let tunings = tunings(&gpu);
        for (number, asked) in CALLS.iter().enumerate() {
            for (turn, &tuning) in tunings.iter().enumerate() {
                // Each combination runs on one of the adapters; or, where there is no time for all, few do.
                if (tunings.len() * number + turn) % turns != place {
                    continue;
                }
                let machine = Machine {
                    tuning,
                    table: Tuning { max_loop_iterations: LIMIT, ..gpu.tuning() },
                    ..gpu.machine().clone()
                };
                let call = asked.call(machine);
                let what = format!("{asked:?} by {tuning:?} on {}", gpu.adapter_id());
                let program = match call.try_program() {
                    Ok(program) => program,
                    Err(Error::Limit { limit: "max_loop_iterations", .. }) => continue,
                    Err(error) => panic!("{what}: {error}"),
                };
                let tensors = call.tensors().into_iter().map(|tensor| (tensor.name, tensor.ty));
                let found = count(&gpu, tensors, |kernel| kernel.bytes_of_params(&call.values), &program);
                total += compared(&what, &program, found);
            }
        }
    }
    let Compared { counted, close } = total;
    assert!(counted > 30 && 3 * close > counted, "of {counted} steps {close} have half of the loops that they state");
}

/// The same of operations.
#[test]
fn no_lane_of_an_operation_runs_more_iterations_than_it_states() {
    let mut total = Compared::default();
    for adapter in Adapter::all_blocking() {
        let gpu = adapter.open_blocking().expect("the adapter opens");
        for (turn, tuning) in tunings(&gpu).into_iter().enumerate() {
            let machine = Machine {
                tuning,
                table: Tuning { max_loop_iterations: LIMIT, ..gpu.tuning() },
                ..gpu.machine().clone()
            };
            let tensors = ops::tensors([50_001, 9]);
            for (number, made) in ops::programs_of(&machine, &tensors, false).into_iter().enumerate() {
                if (5 * number + turn) % turns_of_an_adapter() == 0 {
                    let ops::Made { name, tensors, program } = made;
                    let what = format!("{name} by {tuning:?} on {}", gpu.adapter_id());
                    let found = count(&gpu, tensors, |_| Vec::new(), &program);
                    total += compared(&what, &program, found);
                }
            }
        }
    }
    let Compared { counted, close } = total;
    assert!(counted > 30 && 3 * close > counted, "of {counted} steps {close} have half of the loops that they state");
}

/// Steps whose loops were counted, and those of them that have half of what they state.
#[derive(Default)]
struct Compared {
    counted: u32,
    close: u32,
}

impl std::ops::AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.counted += other.counted;
        self.close += other.close;
    }
}

/// Compares what was counted of a program's steps with what they state.
fn compared(what: &str, program: &Program, found: Vec<Option<u64>>) -> Compared {
    let mut compared = Compared::default();
    for (step, found) in program.steps.iter().zip(found) {
        let stated = step.loops.iterations();
        assert!(stated <= LIMIT.into(), "{what}: `{}` states {stated}", step.entry);
        let Some(found) = found else { continue };
        assert!(found <= stated, "{what}: `{}` runs {found}, not {stated}", step.entry);
        compared.counted += 1;
        compared.close += u32::from(2 * found >= stated);
    }
    compared
}

/// Kernels that count their loops.
struct Counting<'a> {
    gpu: &'a Gpu,
    counts: &'a wgpu::Buffer,
}

/// What is counted lies so many bytes apart.
const STRIDE: u64 = 256;

impl Counting<'_> {
    /// Whether a step's kernel has a binding left for the number.
    fn counts(&self, step: &Step) -> bool {
        (step.kernel.tensors.len() as u32) < self.gpu.limits().max_storage_buffers_per_shader_stage
    }
}

impl Change for Counting<'_> {
    fn text(&self, step: &Step) -> String {
        let text = step.kernel.assemble().source;
        if self.counts(step) { counting(&text, &step.kernel, step.entry) } else { text }
    }

    fn bound(&self, number: usize, step: &Step) -> Option<wgpu::BufferBinding<'_>> {
        let offset = number as u64 * STRIDE;
        let binding = wgpu::BufferBinding { buffer: self.counts, offset, size: wgpu::BufferSize::new(4) };
        self.counts(step).then_some(binding)
    }
}

/// Runs a program; of each step the most iterations of a lane, or none where its kernel has no binding left for their
/// number.
fn count(
    gpu: &Gpu,
    tensors: impl IntoIterator<Item = (String, TensorType)>,
    params: impl Fn(&Kernel) -> Vec<u8>,
    program: &Program,
) -> Vec<Option<u64>> {
    let mut device = Device::new(gpu);
    let memory = device.memory(program, tensors, contents);
    let counts = device.buffer(&vec![0; program.steps.len() * STRIDE as usize]);
    let counting = Counting { gpu, counts: &counts };
    device.run(program, &memory, params, &counting);
    let bytes = device.bytes_of(&[&counts]).concat();
    let counts = bytes.chunks(STRIDE as usize).map(|bytes| u32::from_le_bytes(bytes[..4].try_into().expect("a word")));
    counts.zip(&program.steps).map(|(count, step)| counting.counts(step).then_some(count.into())).collect()
}

/// The text of a kernel that counts, besides, the iterations of all loops, and leaves the most of a lane. The pass that
/// ends a loop passes the loops in it once, as on llvmpipe.
fn counting(text: &str, kernel: &Kernel, entry: &str) -> String {
    let binding = FIRST_TENSOR + kernel.tensors.len() as u32;
    let mut counting = format!(
        "@group(0) @binding({binding}) var<storage, read_write> most_passes: atomic<u32>;\n\
         var<private> passes: u32;\n"
    );
    let lines: Vec<&str> = text.lines().collect();
    let live = without_dead(&lines, kernel);
    let mut is_in_entry = false;
    for (number, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if is_loop(line) {
            assert!(line.ends_with('{'), "a loop begins with a line of its own: {line}");
            let last = 1 + loops_in(&live, body(&lines, number));
            counting.push_str(&format!("passes += {last}u; {line} passes += 1u;\n"));
            continue;
        }
        is_in_entry |= line.starts_with(&format!("fn {entry}("));
        if is_in_entry && (*line == "}" || code == "return;") {
            counting.push_str("atomicMax(&most_passes, passes);\n");
            is_in_entry = *line != "}";
        }
        counting.push_str(line);
        counting.push('\n');
    }
    counting
}

/// The lines, of which those are empty that flags keep from ever running.
fn without_dead<'a>(lines: &[&'a str], kernel: &Kernel) -> Vec<&'a str> {
    let flag = |term: &str| {
        let is_of = |(name, _): &&(String, Constant)| name == term.trim_start_matches('!');
        match kernel.constants.iter().find(is_of) {
            Some((_, Constant::Flag(flag))) => Some(*flag != term.starts_with('!')),
            _ => None,
        }
    };
    let mut live = lines.to_vec();
    for (number, line) in lines.iter().enumerate() {
        let Some(condition) = line.trim_start().strip_prefix("if (").and_then(|rest| rest.strip_suffix(") {")) else {
            continue;
        };
        let terms: Vec<Option<bool>> = condition.split(" && ").map(flag).collect();
        let then = body(lines, number);
        if terms.contains(&Some(false)) {
            live[then].fill("");
        } else if terms.iter().all(|term| *term == Some(true)) && lines[then.end].trim() == "} else {" {
            live[body(lines, then.end)].fill("");
        }
    }
    live
}

fn is_loop(line: &str) -> bool {
    ["for (", "while (", "loop {"].iter().any(|start| line.trim_start().starts_with(start))
}

/// The lines inside the braces that a line opens.
fn body(lines: &[&str], opening: usize) -> std::ops::Range<usize> {
    let indent = lines[opening].len() - lines[opening].trim_start().len();
    let is_end =
        |line: &&str| line.len() > indent && line[..indent].trim().is_empty() && line[indent..].starts_with('}');
    let length = lines[opening + 1..].iter().position(is_end).expect("what is opened is closed");
    opening + 1..opening + 1 + length
}

/// How many loops there are in some lines, those of the functions that they call included.
fn loops_in(lines: &[&str], range: std::ops::Range<usize>) -> usize {
    let calls = |line: &str| -> usize {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '(');
        let called = words.flat_map(|word| word.split_inclusive('(')).filter_map(|word| word.strip_suffix('('));
        let start = |name: &str| lines.iter().position(|line| line.starts_with(&format!("fn {name}(")));
        called
            .filter(|name| !name.is_empty())
            .filter_map(start)
            .filter(|&start| !lines[start].ends_with('}'))
            .map(|start| loops_in(lines, body(lines, start)))
            .sum()
    };
    range.map(|number| usize::from(is_loop(lines[number])) + calls(lines[number])).sum()
}

/// Values of a tensor: 0 and 1 in turn for indices but those of a teacher's classes, which are distinct; logarithms of
/// probabilities, and probabilities for others.
fn contents(name: &str, ty: &TensorType) -> Vec<u8> {
    let sign = if name == "teacher_log_probs" { -1.0 } else { 1.0 };
    let probability = |index: usize| sign * (index * 37 % 101) as f32 / 101.0;
    let bytes = |index: usize| match ty.dtype {
        DType::F32 => probability(index).to_le_bytes().to_vec(),
        DType::F16 => half::f16::from_f32(probability(index)).to_le_bytes().to_vec(),
        DType::BF16 => half::bf16::from_f32(probability(index)).to_le_bytes().to_vec(),
        DType::I32 if name == "teacher_indices" => ((index % ty.shape[1]) as i32).to_le_bytes().to_vec(),
        DType::I32 => (index as i32 % 2).to_le_bytes().to_vec(),
    };
    (0..ty.extent() as usize + 4).flat_map(bytes).collect()
}
