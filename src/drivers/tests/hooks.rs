//! A hook file provides what its loss's spec says.

use super::{
    super::{all_pairs, regions, rows},
    declarations::declarations,
};
use crate::{
    losses::ALL,
    spec::{Driver, LossSpec, Relation, ShaderFile},
};

/// The groups of declarations that a loss's hook file may have: whether the spec says it has, and the file that has
/// them otherwise.
fn groups(spec: &LossSpec) -> Vec<(bool, ShaderFile)> {
    match spec.driver {
        Driver::Rows(of) => rows::HOOKS.into_iter().map(|(hooks, file)| (of.has(hooks), file)).collect(),
        Driver::Regions(of) => vec![(of.terms.is_some(), regions::NO_TERM)],
        Driver::AllPairs(of) => vec![(of.relation != Relation::Labelled, all_pairs::kernels::LABELLED)],
        // The hooks of its row loss.
        Driver::Linear(of) => groups(of.rows),
        Driver::Elementwise
        | Driver::Boxes
        | Driver::Pairs
        | Driver::Sum(_)
        | Driver::Layers(_)
        | Driver::Gram
        | Driver::Sequences(_)
        | Driver::TopK(_) => Vec::new(),
    }
}

#[test]
fn a_hook_file_has_the_groups_that_its_spec_says_and_no_other() {
    let mut has_both = [false; 2];
    for spec in ALL {
        let files = spec.shader.with_parts();
        let own: Vec<String> = files.flat_map(|file| declarations(file.source)).map(|own| own.name).collect();
        for (is_said, file) in groups(spec) {
            has_both[usize::from(is_said)] = true;
            for other in declarations(file.source) {
                let says = if is_said { "says" } else { "does not say" };
                let name = &other.name;
                assert_eq!(own.contains(name), is_said, "{}: the spec {says} that it has {name}", spec.shader.path);
            }
        }
    }
    assert_eq!(has_both, [true; 2]);
}
