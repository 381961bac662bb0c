//! Mesa's compiler for AMD's GPUs, on families of which none need be there.
//!
//! A table in `benches/compilers/` has what it says of each entry point. No kernel may have more scratch memory or
//! spilled registers than its table says; `make compilers` brings the tables up to date.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use ash::vk;

use super::{
    super::{is_whole_run, one_of},
    gpu_kernels::{self, GpuKernel, Key},
    null_device::NullDevice,
    spirv,
    table::{Figures, Table},
};
use crate::{Adapter, gpu::pipeline::layout_entries, kernel::Kernel};

/// What tells Mesa which GPU to compile for.
const FAMILY: &str = "RADV_FORCE_FAMILY";

/// Set by `make compilers`, which saves the tables.
const SAVE: &str = "WGLOSS_SAVE_COMPILERS";

/// RDNA 2, as in the Radeon RX 6800 and 6900.
#[test]
fn no_kernel_spills_on_navi21_beyond_its_table() {
    holds_to_its_table(&["navi21"], "no_kernel_spills_on_navi21_beyond_its_table");
}

/// RDNA 3, as in the Radeon RX 7900, which Mesa calls otherwise since version 23.
#[test]
fn no_kernel_spills_on_gfx1100_beyond_its_table() {
    holds_to_its_table(&["gfx1100", "navi31"], "no_kernel_spills_on_gfx1100_beyond_its_table");
}

/// GCN 5, as in the Radeon RX Vega 56 and 64: subgroups of 64 lanes only.
#[test]
fn no_kernel_spills_on_vega10_beyond_its_table() {
    holds_to_its_table(&["vega10"], "no_kernel_spills_on_vega10_beyond_its_table");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether this process has been started anew to compile for a family of one of these names.
pub(super) fn is_started_for(names: &[&str]) -> bool {
    std::env::var(FAMILY).is_ok_and(|forced| names.contains(&forced.as_str()))
}

/// The file in which the driver tells the loader of itself.
pub(super) fn manifest() -> Option<PathBuf> {
    let folders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let is_radeon = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("radeon_icd") && name.ends_with(".json") && !name.contains("i686")
    };
    files.map(|file| file.path()).find(is_radeon)
}

/// Compares the table of a family, of which Mesa knows one of the names, with what the compiler says now. The driver
/// takes the family from the environment of its process, so the test starts itself anew as a process of its own.
fn holds_to_its_table(names: &[&str], test: &str) {
    let family = names[0];
    let saved = root().join(format!("target/compilers/{family}.tsv"));
    if is_started_for(names) {
        if let Some(table) = measured() {
            std::fs::create_dir_all(saved.parent().expect("it lies in a folder")).expect("target/ can be written to");
            std::fs::write(saved, table.text()).expect("target/ can be written to");
        }
        return;
    }
    let Some(manifest) = manifest() else {
        assert!(std::env::var_os("WGLOSS_CI").is_none(), "no radeon_icd: install Debian's mesa-vulkan-drivers");
        eprintln!("not compiled for {family}: Mesa's driver for AMD's GPUs is not installed");
        return;
    };
    let _ = std::fs::remove_file(&saved);
    let mut said = String::new();
    for name in names {
        if !saved.exists() {
            said += &start_again(name, &manifest, &format!("{}::{test}", module_path!()));
        }
    }
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let parsed = |text: String| Table::parse(&text).unwrap_or_else(|error| panic!("{family}: {error}"));
    let found = parsed(read(&saved).unwrap_or_else(|error| panic!("{error}\n{said}")));

    let committed = root().join(format!("benches/compilers/{family}.tsv"));
    let known = read(&committed).map_or_else(|_| Table::default(), parsed);
    let mut lines = vec![format!("{}: {}", found.driver, found.summary())];
    lines.extend(found.changes_since(&known, is_whole_run()));
    if std::env::var_os(SAVE).is_some() {
        assert!(is_whole_run(), "a table is of all kernels");
        lines.extend(found.worst());
        std::fs::write(&committed, found.text()).expect("the table can be written");
    }
    println!("{}", lines.iter().map(|line| format!("{family}: {line}\n")).collect::<String>());
    let faults = found.faults_beyond(&known);
    assert!(
        faults.is_empty(),
        "{family}: {} entry points have more scratch memory or spilled registers than {} says:\n{}",
        faults.len(),
        committed.display(),
        faults.join("\n"),
    );
}

/// Runs a test by its path in a process whose only driver is Mesa's, for a family of this name; what the process said.
pub(super) fn start_again(family: &str, manifest: &Path, test: &str) -> String {
    let (_, test) = test.split_once("::").expect("the crate's name stands in front");
    let output = Command::new(std::env::current_exe().expect("a process has a program"))
        .args([test, "--exact", "--nocapture"])
        .env(FAMILY, family)
        .env("VK_DRIVER_FILES", manifest)
        .env("VK_ICD_FILENAMES", manifest)
        .env_remove("VK_ADD_DRIVER_FILES")
        // It compiles what it has not seen before.
        .env("MESA_SHADER_CACHE_DISABLE", "true")
        .output()
        .expect("the program starts again");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{family}: {said}");
    said
}

/// The kernels of GPUs, for the family of this process, if the driver knows it.
pub(super) fn kernels() -> Option<Vec<GpuKernel>> {
    let adapter = Adapter::all_blocking().into_iter().find(|adapter| adapter.matches("vulkan:radv"))?;
    assert_eq!(adapter.info().device_type, wgpu::DeviceType::DiscreteGpu, "{}", adapter.id());
    let machine = |features| gpu_kernels::machine(adapter.info(), features, &adapter.limits());
    let features = adapter.features();
    Some(gpu_kernels::kernels(&machine(features), &machine(features - wgpu::Features::SUBGROUP)))
}

/// What the compiler says of the kernels for the family of this process, if the driver knows it.
fn measured() -> Option<Table> {
    let kernels = kernels()?;
    let device = NullDevice::open().expect("the null device opens");
    let mut table = Table { driver: device.driver.clone(), ..Table::default() };
    for (number, kernel) in kernels.iter().enumerate() {
        if number % one_of(48, 6) == 0 {
            for (key, figures) in compiled(&device, kernel) {
                table.rows.insert(key, figures);
            }
        }
    }
    Some(table)
}

/// What the compiler says of the entry points of a kernel.
fn compiled(device: &NullDevice, used: &GpuKernel) -> Vec<(Key, Figures)> {
    let (module, info) = super::module_of(&used.kernel);
    let bindings = bindings(&used.kernel);
    let figures = |(entry, key): &(&'static str, Key)| {
        let told = spirv::words(&used.kernel, &module, &info, entry)
            .and_then(|words| device.compile(&words, entry, &bindings))
            .and_then(|statistics| Figures::new(&statistics));
        (key.clone(), told.unwrap_or_else(|error| panic!("{}: {error}", key.join(" "))))
    };
    used.entries.iter().map(figures).collect()
}

/// What a kernel binds, as Vulkan calls it.
pub(super) fn bindings(kernel: &Kernel) -> Vec<vk::DescriptorType> {
    let entries = layout_entries(kernel);
    let binding = |entry: &wgpu::BindGroupLayoutEntry| match entry.ty {
        wgpu::BindingType::Buffer { ty: wgpu::BufferBindingType::Uniform, .. } => vk::DescriptorType::UNIFORM_BUFFER,
        _ => vk::DescriptorType::STORAGE_BUFFER,
    };
    entries.iter().map(binding).collect()
}
