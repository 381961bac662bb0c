//! What goes between the host and the device while a model learns.

mod common;

use std::{collections::HashSet, fs, path::Path};

use burn::{backend::wgpu::WgpuSetup, tensor::Device};
use wgloss_burn::{CrossEntropyLossConfig, Reduction, clip_grad_norm, share, wgloss::wgpu};

use common::{
    floats,
    model::{Model, batch},
};

/// Bytes to the device and back from it.
#[derive(Debug, Default, PartialEq)]
struct Traffic {
    written: u64,
    read: u64,
}

impl Traffic {
    /// Of what wgpu has written down behind so many bytes of it: calls with their arguments, one a line.
    fn behind(bytes: usize, trace: &str) -> Self {
        let mut traffic = Traffic::default();
        let mut seen = 0;
        let (mut call, mut command, mut buffer) = ("", "", "");
        let mut readable = HashSet::new();
        for line in trace.lines() {
            let counts = seen >= bytes;
            seen += line.len() + 1;
            let (argument, opened) = (line.trim().split_once(": "), line.trim().split_once('('));
            if let (None, Some((name, first))) = (argument, opened) {
                match line.starts_with(' ') {
                    true => command = name,
                    false => (call, buffer) = (name, first.trim_end_matches(", (")),
                }
            }
            match (call, argument) {
                ("CreateBuffer", Some(("usage", usage))) if usage.contains("MAP_READ") => drop(readable.insert(buffer)),
                // Memory of one that is gone may be another's.
                ("CreateBuffer", Some(("usage", _))) => drop(readable.remove(buffer)),
                ("Submit", Some(("dst", destination))) => buffer = destination.trim_end_matches(','),
                ("Submit", Some(("size", size))) if command == "CopyBufferToBuffer" && readable.contains(buffer) => {
                    traffic.read += if counts { number(size) } else { 0 };
                }
                ("WriteBuffer", Some(("size", size))) => traffic.written += if counts { number(size) } else { 0 },
                _ => {}
            }
        }
        traffic
    }
}

fn number(text: &str) -> u64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{text} is a number"))
}

/// A device all of whose calls are written down in a folder.
fn traced(folder: &Path) -> Device {
    let (default, setup) = Device::wgpu_options().init_with_setup().expect("there is an adapter");
    share(&default, &setup).expect("wgloss takes it");
    // Who has shared Burn's default device gets it.
    assert_eq!(wgloss_burn::device().expect("it is shared"), default);
    let descriptor = wgpu::DeviceDescriptor {
        required_features: setup.device.features().difference(wgpu::Features::all_experimental_mask()),
        required_limits: setup.device.limits(),
        trace: wgpu::Trace::Directory(folder.to_path_buf()),
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(setup.adapter.request_device(&descriptor)).expect("it gives a device");
    let setup = WgpuSetup { device, queue, ..setup };
    let device = Device::wgpu_options().setup(setup.clone()).init().expect("Burn takes it");
    share(&device, &setup).expect("wgloss takes it");
    device
}

#[test]
fn what_a_step_copies_does_not_grow_with_the_batch() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("traffic");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("there is a place for files");
    let device = traced(&folder).autodiff();
    let written_down = || fs::read_to_string(folder.join("trace.ron")).expect("wgpu writes");
    let entropy = CrossEntropyLossConfig::new().init();
    let of_batches_of = |rows: usize| {
        let mut model = Model::new(&device);
        let (x, classes, _) = batch(rows, &device);
        let mut step = || {
            let loss = entropy.forward(model.forward(x.clone()), classes.clone(), Reduction::Mean);
            let mut gradients = loss.backward();
            clip_grad_norm(&model, &mut gradients, 1.0);
            model = model.clone().descended(&gradients);
        };
        // Burn finds its kernels in the first.
        for _ in 0..3 {
            step();
            device.sync().expect("the device works");
        }
        let before = written_down().len();
        for _ in 0..5 {
            step();
        }
        device.sync().expect("the device works");
        let steps = Traffic::behind(before, &written_down());
        let before = written_down().len();
        drop(floats(x));
        // Whatever is read is seen.
        let all = Traffic::behind(before, &written_down());
        assert_eq!(all.read, 4 * 6 * rows as u64, "{all:?}");
        steps
    };
    let (few, many) = (of_batches_of(64), of_batches_of(4096));
    assert!(few.written > 0 && few.read == 0 && many.read == 0, "{few:?} {many:?}");
    // Burn may take kernels with other arguments for larger tensors; a byte for each row more would show.
    assert!(many.written < few.written + 5 * 4032, "{few:?} {many:?}");
}
