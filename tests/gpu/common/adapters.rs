//! The adapters to test on.

use std::sync::{Mutex, OnceLock, PoisonError};

use wgloss::{Adapter, Gpu, Reduce};

use super::effort;

/// What must be there where the environment variable `WGLOSS_CI` is set.
const REQUIRED: [&str; 3] = ["vulkan:llvmpipe", "gl:llvmpipe", "vulkan:swiftshader"];

thread_local! {
    static LEASE: Lease = Lease::new();
}

/// Every adapter of the machine. Those of Vulkan are opened once, those of GL once a test that runs beside others:
/// wgpu panics where a thread has waited for a GL context for six seconds, which the first run of large kernels takes.
pub fn every() -> &'static [Gpu] {
    LEASE.with(|lease| lease.0)
}

/// The adapters of a test: all of them, but in a short run only GPUs, or where there are none one of the CPU adapters,
/// which take turns.
pub fn all() -> &'static [Gpu] {
    let every = every();
    let gpus = every.iter().take_while(|gpu| gpu.info().device_type != wgpu::DeviceType::Cpu).count();
    if effort::run() != effort::Run::Short || gpus == every.len() {
        return every;
    }
    // By its thread, which has the name of the test, so that it is the same one each time.
    let thread = std::thread::current();
    let number = thread.name().unwrap_or_default().bytes().map(usize::from).sum::<usize>();
    if gpus > 0 { &every[..gpus] } else { &every[number % every.len()..][..1] }
}

/// Every adapter with workgroups of so many lanes, which exchange by workgroup memory.
pub fn with_lanes(lanes: u32) -> Vec<Gpu> {
    let with = |gpu: &Gpu| {
        let mut tuning = gpu.tuning();
        (tuning.workgroup_size, tuning.reduce) = (lanes, Reduce::Workgroup);
        gpu.with_tuning(tuning).unwrap()
    };
    every().iter().map(with).collect()
}

/// The adapters of a thread, which are another's when it has ended.
struct Lease(&'static [Gpu]);

static FREE: Mutex<Vec<&'static [Gpu]>> = Mutex::new(Vec::new());

impl Lease {
    fn new() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lease(free.unwrap_or_else(|| Vec::leak(open())))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
    }
}

fn open() -> Vec<Gpu> {
    static FIRST: OnceLock<Vec<Gpu>> = OnceLock::new();
    let first = FIRST.get_or_init(|| {
        let adapters = Adapter::all_blocking();
        let found: Vec<String> = adapters.iter().map(Adapter::id).collect();
        assert!(!adapters.is_empty(), "no adapter to test on: install a Vulkan or GL driver (`make setup`)");
        if std::env::var_os("WGLOSS_CI").is_some() {
            for required in REQUIRED {
                let present = adapters.iter().any(|adapter| adapter.matches(required));
                assert!(present, "WGLOSS_CI asks for the adapter {required}; there are {found:?}");
            }
        }
        adapters.iter().map(|adapter| adapter.open_blocking().unwrap_or_else(|error| panic!("{error}"))).collect()
    });
    let own = |gpu: &Gpu| match gpu.info().backend {
        wgpu::Backend::Gl => {
            let adapter = pollster::block_on(Adapter::find(&gpu.adapter_id())).expect("the adapter is still there");
            adapter.open_blocking().unwrap_or_else(|error| panic!("{error}"))
        }
        _ => gpu.clone(),
    };
    first.iter().map(own).collect()
}
