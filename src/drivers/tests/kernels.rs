//! The kernels of all losses and operations.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use super::{calls::calls, ops};
use crate::{
    kernel::{Constant, Kernel, Text},
    losses::ALL,
};

/// A kernel of some losses or operations.
pub(super) struct Used {
    /// The first loss or operation that uses it, an entry point and a number.
    pub name: String,
    pub kernel: Arc<Kernel>,
    /// The entry points that steps use.
    pub entries: BTreeSet<&'static str>,
    pub text: Text,
}

/// The kernels of the calls of all losses, and of all operations, each text once.
pub(super) fn kernels() -> &'static [Used] {
    static KERNELS: OnceLock<Vec<Used>> = OnceLock::new();
    KERNELS.get_or_init(|| {
        let mut known: HashMap<Arc<Kernel>, usize> = HashMap::new();
        // Where recipes differ and texts do not, as where what an output shares is its own buffer.
        let mut texts: BTreeMap<String, usize> = BTreeMap::new();
        let mut used: Vec<Used> = Vec::new();
        let of_losses = ALL.iter().flat_map(|spec| calls(spec).into_iter().map(|call| (spec.name, call.program())));
        for (name, program) in of_losses.chain(ops::programs()) {
            for step in program.steps {
                let place = *known.entry(step.kernel.clone()).or_insert_with(|| {
                    let text = step.kernel.assemble();
                    *texts.entry(text.source.clone()).or_insert_with(|| {
                        let name = format!("{name}-{}-{:04}", step.entry, used.len());
                        used.push(Used { name, kernel: step.kernel.clone(), entries: BTreeSet::new(), text });
                        used.len() - 1
                    })
                });
                used[place].entries.insert(step.entry);
            }
        }
        used
    })
}

/// The WGSL files in a folder and in those below it, with their paths.
pub(super) fn shader_files(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it can be read"));
    let files = entries.map(|entry| entry.path()).flat_map(|path| match path.extension() {
        _ if path.is_dir() => shader_files(&path),
        Some(extension) if extension == "wgsl" => {
            let text = std::fs::read_to_string(&path).expect("the file can be read");
            vec![(path, text)]
        }
        _ => Vec::new(),
    });
    files.collect()
}

#[test]
fn the_kernels_are_made_of_every_file() {
    let files = |used: &'static Used| used.kernel.lib().chain(used.kernel.files.iter().copied());
    let joined: BTreeSet<&str> = kernels().iter().flat_map(files).map(|file| file.path).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    for (path, _) in shader_files(&folder) {
        let path = path.strip_prefix(&folder).expect("it is in the folder").to_string_lossy().replace('\\', "/");
        // What interfaces say, headers give.
        let is_interface = path.rsplit('/').next().is_some_and(|name| name.starts_with("interface"));
        assert_ne!(joined.contains(path.as_str()), is_interface, "{path}");
    }
}

#[test]
fn the_kernels_have_both_values_of_every_flag() {
    let mut values: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for (name, constant) in kernels().iter().flat_map(|used| &used.kernel.constants) {
        if let Constant::Flag(flag) = *constant {
            values.entry(name).or_default().insert(flag);
        }
    }
    assert!(!values.is_empty());
    let same: Vec<&str> = values.iter().filter(|(_, values)| values.len() < 2).map(|(name, _)| *name).collect();
    assert!(same.is_empty(), "{same:?}");
}
