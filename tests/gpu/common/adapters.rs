//! The adapters to test on.

use std::sync::OnceLock;

use wgloss::{Adapter, Gpu};

/// What must be there where the environment variable `WGLOSS_CI` is set.
const REQUIRED: [&str; 3] = ["vulkan:llvmpipe", "gl:llvmpipe", "vulkan:swiftshader"];

/// Every adapter of the machine, opened once.
pub fn all() -> &'static [Gpu] {
    static GPUS: OnceLock<Vec<Gpu>> = OnceLock::new();
    GPUS.get_or_init(|| {
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
    })
}
