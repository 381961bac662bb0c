//! Every kernel must compile: with naga as wgpu does natively, and with Tint as browsers do.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::{
    DType, Statistics, batch,
    header::{BatchParams, FinalizeParams, FixedParams},
    losses::ALL,
    regions::RegionLayout,
    shader::{Entry, GradientStore, Kernel, LossVariant, Pass, Quads, SpecKey},
    spec::{Anchors, Driver, Kind, LossSpec, Rule},
    tuning::{Reduce, RowLayout},
    workspace::{BATCH_RECORD_SIZE, Partial, RECORD_SIZE, REGION_SIZE, WorkspaceHeader},
};

/// Workgroup sizes and reductions as `tuning.rs` pairs them, and as a caller may.
const LAYOUTS: [(u32, Reduce); 5] = [
    (8, Reduce::SingleSubgroup),
    (8, Reduce::Workgroup),
    (16, Reduce::Subgroup),
    (256, Reduce::Subgroup),
    (256, Reduce::Workgroup),
];

/// Every kernel by a name of its own. The layout goes round, because it stands in files of its own that all variants
/// share; each file is joined to each loss.
fn kernels() -> BTreeMap<String, Kernel> {
    let kernel = |pass, (workgroup_size, reduce)| Kernel { pass, workgroup_size, reduce };
    let mut kernels: BTreeMap<_, _> =
        LAYOUTS.iter().map(|&layout| (format!("finalize-{layout:?}"), kernel(Pass::Finalize, layout))).collect();
    for (index, batch) in batch::every_shared_kernel().into_iter().enumerate() {
        for &layout in &LAYOUTS {
            kernels
                .insert(format!("{}-{index:04}-{layout:?}", batch.entry()), kernel(Pass::Batch(batch.clone()), layout));
        }
    }
    for &spec in ALL {
        for (index, variant) in variants(spec).into_iter().enumerate() {
            if spec.all_pairs().is_some() {
                for (batch, layout) in
                    batch::every_kernel_of(&variant).into_iter().zip(LAYOUTS.iter().cycle().skip(index))
                {
                    let name = format!("{}-{}-{index:04}", spec.name, batch.entry());
                    kernels.insert(name, kernel(Pass::Batch(batch), *layout));
                }
                continue;
            }
            let layout = LAYOUTS[index % LAYOUTS.len()];
            // Scores know nothing of how pixels are taken, and some losses take another's kernels of pixels.
            if variant.regions == Some(REGION_LAYOUTS[0]) && variant.gradients == GradientStore::Write {
                let scores = kernel(Pass::Scores(variant.clone()), layout);
                kernels.insert(format!("{}-scores-{index:04}", spec.name), scores);
            }
            if spec.regions().is_some_and(|regions| regions.pixels_of.is_some()) {
                continue;
            }
            kernels.insert(format!("{}-{index:04}", spec.name), kernel(Pass::Loss(variant), layout));
        }
    }
    kernels
}

/// Every storage type with every treatment of gradients, layout of rows and choice that kernels are compiled for; and of
/// elementwise losses, with every subset of the optional inputs, and every two of per-item loss, sharing of buffers and
/// quads. Of rows, pairs and batches these go round.
fn variants(spec: &'static LossSpec) -> Vec<LossVariant> {
    let optional = spec.all_inputs().filter(|input| input.optional).count();
    let subsets: Vec<u32> = (0..1_u32 << optional).collect();
    let gradient_stores = [GradientStore::Write, GradientStore::Add, GradientStore::InPlace, GradientStore::Skip];
    let outputs = [(false, false), (false, true), (true, false), (true, true)];
    let choices = compiled_choices(spec);
    let mut variants = Vec::new();
    for dtype in DType::FLOATS {
        for gradients in gradient_stores {
            let variant = |subset: u32, (per_item, shared_buffers), compiled: &[u32]| {
                let mut bits = (0..optional).map(|bit| subset >> bit & 1 == 1);
                let inputs = spec.all_inputs().map(|input| {
                    let given = !input.optional || bits.next() == Some(true);
                    given.then_some(match input.kind {
                        Kind::Index => DType::I32,
                        Kind::Label if per_item => DType::I32,
                        _ => dtype,
                    })
                });
                LossVariant {
                    loss: SpecKey(spec),
                    inputs: inputs.collect(),
                    compiled: compiled.to_vec(),
                    gradients,
                    rows: None,
                    regions: None,
                    statistics: Statistics::default(),
                    per_item,
                    shared_buffers,
                    quads: Quads::No,
                }
            };
            match spec.driver {
                // Gradients are stored by kernels of their own.
                Driver::AllPairs(_) if !matches!(gradients, GradientStore::Write | GradientStore::Skip) => {}
                Driver::AllPairs(batch) => {
                    let forms = choices.iter().flat_map(|choice| subsets.iter().map(move |&subset| (choice, subset)));
                    for (round, (compiled, subset)) in forms.enumerate() {
                        let hardest = batch.anchors == Anchors::Hardest && round.is_multiple_of(2);
                        let statistics = Statistics { hardest, ..Statistics::default() };
                        let output = outputs[(round + dtype as usize) % outputs.len()];
                        variants.push(LossVariant { statistics, ..variant(subset, output, compiled) });
                    }
                }
                Driver::Elementwise | Driver::Boxes => {
                    for (&subset, choice) in subsets.iter().flat_map(|subset| choices.iter().map(move |c| (subset, c)))
                    {
                        for (per_item, shared) in outputs {
                            let quads = match spec.driver {
                                Driver::Boxes => Quads::Aligned,
                                _ if per_item == shared => Quads::Anywhere,
                                _ => Quads::No,
                            };
                            variants.push(LossVariant { quads, ..variant(subset, (per_item, shared), choice) });
                        }
                    }
                }
                Driver::Pairs => {
                    let forms = [Quads::Aligned, Quads::No].into_iter();
                    let choices = forms.flat_map(|quads| choices.iter().map(move |choice| (quads, choice)));
                    for (round, (quads, compiled)) in choices.enumerate() {
                        for subset in [round, round + 1] {
                            let output = outputs[(subset + round / 2) % outputs.len()];
                            let variant = variant(subsets[subset % subsets.len()], output, compiled);
                            variants.push(LossVariant { quads, ..variant });
                        }
                    }
                }
                Driver::Rows(rows) => {
                    let mut rounds = 0..;
                    for ((layout, quads), compiled) in
                        ROW_LAYOUTS.iter().flat_map(|layout| choices.iter().map(move |choice| (layout, choice)))
                    {
                        let round: usize = rounds.next().unwrap_or_default();
                        let (per_item, shared) = outputs[round % outputs.len()];
                        let argmax = !round.is_multiple_of(3);
                        let log_sum_exp = round % 3 == 2 && rows.has_log_sum_exp();
                        let statistics = Statistics { log_sum_exp, argmax, ..Statistics::default() };
                        let output = (per_item || rows.per_class, shared);
                        let variant = variant(subsets[round * 3 % subsets.len()], output, compiled);
                        variants.push(LossVariant { rows: Some(*layout), statistics, quads: *quads, ..variant });
                    }
                }
                Driver::Regions(_) => {
                    let forms = REGION_LAYOUTS.iter().flat_map(|layout| [(layout, false), (layout, true)]);
                    let choices = forms.flat_map(|form| choices.iter().map(move |choice| (form, choice)));
                    for (round, ((layout, indices), compiled)) in choices.enumerate() {
                        let output = outputs[round % outputs.len()];
                        let mut variant = variant(subsets[round * 3 % subsets.len()], output, compiled);
                        for (input, dtype) in spec.all_inputs().zip(&mut variant.inputs) {
                            if indices && input.as_indices.is_some() {
                                *dtype = Some(DType::I32);
                            }
                        }
                        variants.push(LossVariant { regions: Some(*layout), ..variant });
                    }
                }
            }
        }
    }
    variants
}

const ROW_LAYOUTS: [(RowLayout, Quads); 14] = [
    (RowLayout::Lane { contiguous: true, pairs: true }, Quads::No),
    (RowLayout::Lane { contiguous: true, pairs: false }, Quads::No),
    (RowLayout::Lane { contiguous: false, pairs: true }, Quads::No),
    (RowLayout::Lane { contiguous: false, pairs: false }, Quads::No),
    (RowLayout::Workgroup { cache: 0 }, Quads::No),
    (RowLayout::Workgroup { cache: 0 }, Quads::Anywhere),
    (RowLayout::Workgroup { cache: 0 }, Quads::Aligned),
    (RowLayout::Workgroup { cache: 1024 }, Quads::No),
    (RowLayout::Workgroup { cache: 1024 }, Quads::Anywhere),
    (RowLayout::Workgroup { cache: 1024 }, Quads::Aligned),
    (RowLayout::Parts { contiguous: true }, Quads::No),
    (RowLayout::Parts { contiguous: true }, Quads::Anywhere),
    (RowLayout::Parts { contiguous: true }, Quads::Aligned),
    (RowLayout::Parts { contiguous: false }, Quads::No),
];

const REGION_LAYOUTS: [RegionLayout; 3] = [
    RegionLayout { strip: 1, strips: false, pairs: true },
    RegionLayout { strip: 3, strips: false, pairs: false },
    RegionLayout { strip: 8, strips: true, pairs: false },
];

/// Every combination of what kernels are compiled for.
fn compiled_choices(spec: &LossSpec) -> Vec<Vec<u32>> {
    let compiled = spec.params.iter().filter(|param| param.compiled);
    compiled.fold(vec![Vec::new()], |choices, param| {
        let values = if let Rule::Word(words) = param.rule { words.len() as u32 } else { 2 };
        choices.iter().flat_map(|choice| (0..values).map(move |value| [choice.as_slice(), &[value]].concat())).collect()
    })
}

/// What a compiler says of a text, with the place in our files.
fn naga_error(kernel: &Kernel) -> Option<String> {
    use wgpu::naga::{front::wgsl, valid};
    let text = kernel.assemble();
    let module = match wgsl::parse_str(&text.source) {
        Ok(module) => module,
        Err(error) => {
            let line = error.location(&text.source).map_or(0, |location| location.line_number as usize);
            return Some(format!("{}: {}", text.locate(line), error.message()));
        }
    };
    for entry in entries(kernel) {
        if !module.entry_points.iter().any(|point| point.name == entry.name()) {
            return Some(format!("no entry point {}", entry.name()));
        }
    }
    // Both are parts of WebGPU: subgroups where asked for, `unpack2x16float` always.
    let capabilities = valid::Capabilities::SUBGROUP | valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let mut validator = valid::Validator::new(valid::ValidationFlags::all(), capabilities);
    validator
        .subgroup_stages(valid::ShaderStages::COMPUTE)
        .subgroup_operations(valid::SubgroupOperationSet::all())
        .validate(&module)
        .err()
        .map(|error| error.emit_to_string(&text.source))
}

fn entries(kernel: &Kernel) -> Vec<Entry> {
    let entries: &[Entry] = match &kernel.pass {
        Pass::Loss(LossVariant { rows: Some(RowLayout::Parts { .. }), .. }) => &[
            Entry::Measure,
            Entry::EvaluateParts,
            Entry::JoinRows,
            Entry::EvaluateMiddles,
            Entry::JoinMiddles,
            Entry::EvaluateGradients,
        ],
        Pass::Loss(LossVariant { regions: Some(_), .. }) => &[Entry::SumRegions, Entry::EvaluateGradients],
        Pass::Loss(_) => &[Entry::Measure, Entry::Evaluate],
        Pass::Scores(_) => &[Entry::ScoreRegions],
        Pass::Batch(kernel) => return vec![Entry::Batch(kernel.entry())],
        Pass::Finalize => &[Entry::FinalizeDivisor, Entry::FinalizeLoss, Entry::FinalizeTerms, Entry::FinalizeItems],
    };
    entries.to_vec()
}

#[test]
fn every_kernel_is_valid_for_naga() {
    let kernels = kernels();
    let errors: Vec<String> =
        kernels.iter().filter_map(|(name, kernel)| Some(format!("{name}: {}", naga_error(kernel)?))).collect();
    assert!(errors.is_empty(), "{} of {} kernels, the first: {}", errors.len(), kernels.len(), errors[0]);
}

/// Tint comes with the npm package that `make tint` installs; without it there is nothing to run, which only CI takes
/// for a failure.
#[test]
fn every_kernel_is_valid_for_tint() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tint = root.join("tests/tint");
    if !tint.join("node_modules/webgpu").exists() {
        assert!(std::env::var_os("WGLOSS_CI").is_none(), "Tint is not installed: run `make tint`");
        eprintln!("not checked with Tint: `make tint` installs it");
        return;
    }
    let folder = root.join("target/tint");
    // Kernels of an earlier run would be counted too.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("target/ can be written to");
    let kernels = kernels();
    for (name, kernel) in &kernels {
        let file = folder.join(format!("{}.wgsl", name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")));
        std::fs::write(file, kernel.assemble().source).expect("target/ can be written to");
    }
    let output = Command::new("node").arg(tint.join("validate.mjs")).arg(&folder).output().expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors: String = said
        .lines()
        .chain(str::lines(&String::from_utf8_lossy(&output.stderr)))
        .take(12)
        .fold(String::new(), |text, line| text + line + "\n");
    assert!(output.status.success(), "{errors}");
    assert!(said.contains(&format!("{} shaders valid", kernels.len())), "{} kernels, but {errors}", kernels.len());
}

/// Names and offsets of the members of a struct in a kernel's text, and its size.
fn layout_of(kernel: &Kernel, name: &str) -> (Vec<(String, u32)>, u32) {
    let module = wgpu::naga::front::wgsl::parse_str(&kernel.assemble().source).expect("the kernel is valid");
    let found = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name));
    let Some((_, wgpu::naga::Type { inner: wgpu::naga::TypeInner::Struct { members, span }, .. })) = found else {
        panic!("no struct is called {name}");
    };
    let members = members.iter().map(|member| (member.name.clone().unwrap_or_default(), member.offset));
    (members.collect(), *span)
}

fn members(kernel: &Kernel, name: &str) -> Vec<(String, u32)> {
    layout_of(kernel, name).0
}

fn size_of_struct(kernel: &Kernel, name: &str) -> u32 {
    layout_of(kernel, name).1
}

/// The members that a host struct must have, in order, each a word.
macro_rules! words {
    ($ty:ty: $($name:ident),*) => {
        [$((stringify!($name).to_string(), std::mem::offset_of!($ty, $name) as u32)),*]
    };
}

#[test]
fn structs_are_the_same_on_host_and_device() {
    let finalize = Kernel { pass: Pass::Finalize, workgroup_size: 8, reduce: Reduce::Workgroup };
    let partial = words!(Partial: loss, items, invalid, first_invalid, correct);
    assert_eq!(members(&finalize, "Partial"), partial);
    let header = words!(
        WorkspaceHeader: divisor, items_low, items_high, invalid_low, invalid_high, invalid_partial, invalid_item, correct_low,
        correct_high, pixel_term, score_term, triplets_low, triplets_high, active_low, active_high, positive_distance,
        negative_distance, value_scale, slope
    );
    let partials = ("partials".to_string(), WorkspaceHeader::SIZE as u32);
    assert_eq!(members(&finalize, "Workspace"), [header.to_vec(), vec![partials]].concat());
    let params = words!(FinalizeParams: partials, measured, divisor, pixel_weight, score_weight);
    assert_eq!(members(&finalize, "FinalizeParams"), params);

    let rows = Some(RowLayout::Parts { contiguous: true });
    let losses = ALL.iter().filter(|spec| spec.rows().is_some());
    for variant in losses.map(|&spec| variants(spec).into_iter().find(|variant| variant.rows == rows)) {
        let kernel = Kernel { pass: Pass::Loss(variant.expect("rows may be by parts")), ..finalize.clone() };
        assert_eq!(size_of_struct(&kernel, "Row"), RECORD_SIZE as u32);
    }

    for spec in ALL.iter().filter(|spec| spec.regions().is_some()) {
        let kernel = Kernel { pass: Pass::Loss(variants(spec).remove(0)), ..finalize.clone() };
        assert_eq!(size_of_struct(&kernel, "Region"), REGION_SIZE as u32);
    }

    for batch in batch::every_shared_kernel() {
        let kernel = Kernel { pass: Pass::Batch(batch), ..finalize.clone() };
        assert_eq!(size_of_struct(&kernel, "Record"), BATCH_RECORD_SIZE as u32);
        assert_eq!(size_of_struct(&kernel, "Params"), size_of::<BatchParams>() as u32);
    }

    // A loss's own parameters follow the fixed ones, a word each.
    for &spec in ALL {
        let variant = variants(spec).remove(0);
        let (pass, first) = match spec.all_pairs() {
            Some(_) => (Pass::Batch(batch::every_kernel_of(&variant).remove(0)), size_of::<BatchParams>()),
            None => (Pass::Loss(variant), size_of::<FixedParams>()),
        };
        let found = members(&Kernel { pass, ..finalize.clone() }, "Params");
        let own = &found[found.len() - spec.params.len()..];
        let first = first as u32;
        let expected = spec.params.iter().zip(0..).map(|(param, index)| (param.member(), first + 4 * index));
        assert_eq!(own, expected.collect::<Vec<_>>(), "{}", spec.name);
    }
}

#[test]
fn a_line_is_found_in_its_file() {
    let spec = ALL.iter().find(|spec| spec.name == "huber").expect("huber is a loss");
    let variant = variants(spec).remove(0);
    let kernel = Kernel { pass: Pass::Loss(variant), workgroup_size: 8, reduce: Reduce::Workgroup };
    let text = kernel.assemble();
    let line = text.source.lines().position(|line| line.contains("fn loss_and_grad")).expect("the hook is there") + 1;
    assert_eq!(text.locate(line), "losses/regression/huber.wgsl:1");
    assert_eq!(text.locate_in(&format!("┌─ wgsl:{line}:4")), "losses/regression/huber.wgsl:1");
    assert_eq!(text.locate(1), "generated header:1");
}
