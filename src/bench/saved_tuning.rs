//! Measured tunings in the user's cache directory, a file for each adapter.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use wgpu::{AdapterInfo, Features, Limits};

use super::report::today;
use crate::{Adapter, Error, Gpu, Tuning, gpu::adapter_id};

/// The environment variable with the directory to use in place of `wgloss` in the user's cache directory.
pub const CACHE_DIR: &str = "WGLOSS_CACHE_DIR";

/// A tuning that was measured on an adapter, with everything that makes it stale.
///
/// The library reads such a file only where it is asked to ([`Gpu::with_saved_tuning`], [`Adapter::saved_tuning`]); the
/// command `wgloss` uses the one that `wgloss tune` wrote. They are in the directory `tuning` of `$WGLOSS_CACHE_DIR`,
/// or where that is not set, of `wgloss` in the user's cache directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedTuning {
    #[serde(flatten)]
    measured_with: Origin,
    /// The day, UTC.
    pub date: String,
    /// The tuning.
    pub tuning: Tuning,
}

/// The conditions that a tuning was measured under: under any other it is stale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Origin {
    adapter: String,
    vendor: u32,
    device: u32,
    driver: String,
    driver_info: String,
    wgloss: String,
}

/// Why a saved tuning cannot be used, or none saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuningFileError {
    /// The user has no cache directory.
    #[error("there is no cache directory; the environment variable {CACHE_DIR} names one")]
    NoDirectory,
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file cannot be written or removed.
    #[error("{path}: cannot be written: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is not JSON, or lacks the fields of a saved tuning.
    #[error("{path}: not a saved tuning: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: serde_json::Error,
    },
    /// The tuning was measured with another adapter, driver or version of wgloss.
    #[error("{path}: measured with {what} {found:?}, where this is {expected:?}", path = path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// The part that differs.
        what: &'static str,
        /// The one in the file.
        found: String,
        /// The one there is.
        expected: String,
    },
    /// The adapter cannot run it.
    #[error("{path}: {source}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Error,
    },
}

impl Adapter {
    /// The tuning saved for this adapter; `None` where there is none.
    ///
    /// # Errors
    /// [`TuningFileError`] where the file is wrong or stale.
    pub fn saved_tuning(&self) -> Result<Option<SavedTuning>, TuningFileError> {
        SavedTuning::load(self.info(), self.features(), &self.limits())
    }
}

impl Gpu {
    /// This device with the tuning saved for its adapter, where there is one.
    ///
    /// ```
    /// let gpu = wgloss::Gpu::new_blocking()?;
    /// // A file that is wrong or stale is no reason to stop.
    /// let gpu = gpu.with_saved_tuning().unwrap_or(gpu);
    /// # Ok::<(), wgloss::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`TuningFileError`] where the file is wrong or stale.
    pub fn with_saved_tuning(&self) -> Result<Gpu, TuningFileError> {
        let saved = SavedTuning::load(self.info(), self.device().features(), self.limits())?;
        // The file's tuning was checked.
        Ok(saved.and_then(|saved| self.with_tuning(saved.tuning).ok()).unwrap_or_else(|| self.clone()))
    }
}

impl SavedTuning {
    /// A tuning measured today on this adapter.
    pub fn new(info: &AdapterInfo, tuning: Tuning) -> Self {
        SavedTuning { measured_with: Origin::of(info), date: today(), tuning }
    }

    /// The file of this adapter.
    ///
    /// # Errors
    /// [`TuningFileError::NoDirectory`].
    pub fn path(info: &AdapterInfo) -> Result<PathBuf, TuningFileError> {
        Ok(directory().ok_or(TuningFileError::NoDirectory)?.join(Origin::of(info).file_name()))
    }

    /// The tuning saved for an adapter with these properties, checked against them; `None` where there is none.
    ///
    /// # Errors
    /// [`TuningFileError`] where the file is wrong or stale.
    pub fn load(info: &AdapterInfo, features: Features, limits: &Limits) -> Result<Option<Self>, TuningFileError> {
        match directory() {
            Some(directory) => SavedTuning::load_from(&directory, info, features, limits),
            None => Ok(None),
        }
    }

    /// Writes the file of the adapter, all of it or nothing, and gives its path.
    ///
    /// # Errors
    /// [`TuningFileError::NoDirectory`], [`TuningFileError::Write`].
    pub fn save(&self) -> Result<PathBuf, TuningFileError> {
        self.save_to(&directory().ok_or(TuningFileError::NoDirectory)?)
    }

    /// Removes the file of this adapter and gives its path; `None` where there is none.
    ///
    /// # Errors
    /// [`TuningFileError::Write`].
    pub fn remove(info: &AdapterInfo) -> Result<Option<PathBuf>, TuningFileError> {
        let Some(directory) = directory() else { return Ok(None) };
        let path = directory.join(Origin::of(info).file_name());
        match fs::remove_file(&path) {
            Ok(()) => Ok(Some(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TuningFileError::Write { path, source }),
        }
    }

    fn load_from(
        directory: &Path,
        info: &AdapterInfo,
        features: Features,
        limits: &Limits,
    ) -> Result<Option<Self>, TuningFileError> {
        let expected = Origin::of(info);
        let path = directory.join(expected.file_name());
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TuningFileError::Read { path, source }),
        };
        // Another version may have other fields: that it is one is the better message.
        let found: Origin = match serde_json::from_slice(&text) {
            Ok(found) => found,
            Err(source) => return Err(TuningFileError::Format { path, source }),
        };
        if let Some((what, found, expected)) = found.difference(&expected) {
            return Err(TuningFileError::Stale { path, what, found, expected });
        }
        let saved: SavedTuning = match serde_json::from_slice(&text) {
            Ok(saved) => saved,
            Err(source) => return Err(TuningFileError::Format { path, source }),
        };
        match saved.tuning.check(info, features, limits) {
            Ok(()) => Ok(Some(saved)),
            Err(source) => Err(TuningFileError::Invalid { path, source }),
        }
    }

    fn save_to(&self, directory: &Path) -> Result<PathBuf, TuningFileError> {
        let path = directory.join(self.measured_with.file_name());
        let write = || {
            fs::create_dir_all(directory)?;
            let mut file = NamedTempFile::new_in(directory)?;
            file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        match write() {
            Ok(()) => Ok(path),
            Err(source) => Err(TuningFileError::Write { path, source }),
        }
    }
}

/// The directory of the files.
fn directory() -> Option<PathBuf> {
    let given = env::var_os(CACHE_DIR).filter(|path| !path.is_empty()).map(PathBuf::from);
    let cache = given.or_else(|| dirs::cache_dir().map(|cache| cache.join("wgloss")))?;
    Some(cache.join("tuning"))
}

impl Origin {
    fn of(info: &AdapterInfo) -> Self {
        Origin {
            adapter: adapter_id(info),
            vendor: info.vendor,
            device: info.device,
            driver: info.driver.clone(),
            driver_info: info.driver_info.clone(),
            wgloss: env!("CARGO_PKG_VERSION").to_string(),
        }
    }

    /// The adapter's name in letters that every file system takes, and its numbers.
    fn file_name(&self) -> String {
        let words = self.adapter.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let name: String = words.collect::<Vec<_>>().join("-").to_ascii_lowercase().chars().take(100).collect();
        format!("{name}-{:04x}-{:04x}.json", self.vendor, self.device)
    }

    /// The first part that differs between `self` and `expected`.
    fn difference(&self, expected: &Origin) -> Option<(&'static str, String, String)> {
        let mut pairs = self.parts().into_iter().zip(expected.parts());
        let ((what, found), (_, expected)) = pairs.find(|(found, expected)| found != expected)?;
        Some((what, found, expected))
    }

    /// The parts by their names.
    fn parts(&self) -> [(&'static str, String); 4] {
        [
            ("adapter", self.adapter.clone()),
            ("device", format!("{:04x}:{:04x}", self.vendor, self.device)),
            ("driver", format!("{} {}", self.driver, self.driver_info).trim().to_string()),
            ("wgloss", self.wgloss.clone()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{Reduce, gpu::cpu_adapter};

    const FEATURES: Features = Features::SUBGROUP;

    /// A directory with a saved tuning that differs from the table's.
    struct Saved {
        cache: tempfile::TempDir,
        saved: SavedTuning,
        path: PathBuf,
    }

    impl Saved {
        fn new() -> Self {
            let cache = tempfile::tempdir().unwrap();
            let table = Tuning::for_adapter(&cpu_adapter(), FEATURES, &Limits::defaults());
            let tuning = Tuning { workgroup_size: 32, reduce: Reduce::Workgroup, few_rows: 3, ..table };
            let saved = SavedTuning::new(&cpu_adapter(), tuning);
            let path = saved.save_to(cache.path()).unwrap();
            Saved { cache, saved, path }
        }

        fn load(&self, info: &AdapterInfo) -> Result<Option<SavedTuning>, TuningFileError> {
            SavedTuning::load_from(self.cache.path(), info, FEATURES, &Limits::defaults())
        }

        /// The error after a field of the file, or of its tuning, was changed.
        fn with(&self, field: &str, value: Json) -> TuningFileError {
            let mut json = serde_json::to_value(&self.saved).unwrap();
            let within = if json.get(field).is_some() { &mut json } else { &mut json["tuning"] };
            assert!(within.get(field).is_some(), "{field}");
            within[field] = value;
            fs::write(&self.path, json.to_string()).unwrap();
            self.load(&cpu_adapter()).unwrap_err()
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let saved = Saved::new();
        assert_eq!(saved.load(&cpu_adapter()).unwrap().as_ref(), Some(&saved.saved));
        // A second one takes the place of the first, and nothing else is left.
        saved.saved.save_to(saved.cache.path()).unwrap();
        assert_eq!(fs::read_dir(saved.cache.path()).unwrap().count(), 1);
        let other = AdapterInfo { name: "another".to_string(), ..cpu_adapter() };
        assert_eq!(saved.load(&other).unwrap(), None);
    }

    #[test]
    fn what_was_measured_with_something_else_is_stale() {
        let saved = Saved::new();
        let driver = AdapterInfo { driver_info: "Mesa 23.0.0".to_string(), ..cpu_adapter() };
        let message = saved.load(&driver).unwrap_err().to_string();
        let expected = "measured with driver \"llvmpipe Mesa 22.3.6\", where this is \"llvmpipe Mesa 23.0.0\"";
        assert!(message.ends_with(expected), "{message}");
        assert!(message.contains("vulkan-llvmpipe-llvm-15-0-6-256-bits-10005-0000.json"), "{message}");
        for (field, value, what) in [
            ("adapter", json!("vulkan:llvmpipe"), "adapter"),
            ("vendor", json!(1), "device"),
            ("device", json!(1), "device"),
            ("driver", json!(""), "driver"),
            ("wgloss", json!("0.0.1"), "wgloss"),
        ] {
            let error = saved.with(field, value);
            assert!(matches!(error, TuningFileError::Stale { what: found, .. } if found == what), "{error}");
        }
        // Another version may have other fields.
        let mut json = serde_json::to_value(&saved.saved).unwrap();
        (json["wgloss"], json["tuning"]) = (json!("9.0.0"), json!({}));
        fs::write(&saved.path, json.to_string()).unwrap();
        assert!(matches!(saved.load(&cpu_adapter()), Err(TuningFileError::Stale { what: "wgloss", .. })));
    }

    #[test]
    fn what_is_no_saved_tuning_says_why() {
        let saved = Saved::new();
        let whole = fs::read(&saved.path).unwrap();
        for text in [&b""[..], b"{", b"[]", b"null", b"\xff\xfe", &whole[..whole.len() / 2]] {
            fs::write(&saved.path, text).unwrap();
            assert!(matches!(saved.load(&cpu_adapter()), Err(TuningFileError::Format { .. })), "{text:?}");
        }
        for (field, value) in [
            ("tuning", json!({})),
            ("workgroup_size", json!(-8)),
            ("workgroup_size", json!(8.5)),
            ("workgroups", json!(1_u64 << 32)),
            ("reduce", json!("by_hand")),
            ("rows", json!(null)),
        ] {
            let error = saved.with(field, value);
            assert!(matches!(error, TuningFileError::Format { .. }), "{field}: {error}");
        }
        fs::remove_file(&saved.path).unwrap();
        fs::create_dir(&saved.path).unwrap();
        assert!(matches!(saved.load(&cpu_adapter()), Err(TuningFileError::Read { .. })));
    }

    #[test]
    fn what_the_adapter_cannot_run_is_refused() {
        let saved = Saved::new();
        for (field, value) in [
            ("workgroup_size", json!(0)),
            ("workgroup_size", json!(12)),
            ("workgroup_size", json!(512)),
            ("workgroups", json!(0)),
            ("reduce", json!("single_subgroup")),
            ("max_loop_iterations", json!(u32::MAX)),
            ("cached_classes", json!(u32::MAX)),
            ("least_lanes", json!(48)),
        ] {
            let error = saved.with(field, value);
            assert!(matches!(error, TuningFileError::Invalid { .. }), "{error}");
            assert!(error.to_string().contains(&format!("tuning: `{field}` must be ")), "{error}");
        }
    }

    #[test]
    fn where_nothing_can_be_written_the_path_is_named() {
        let saved = Saved::new();
        // A file where a directory should be.
        let error = saved.saved.save_to(&saved.path.join("tuning")).unwrap_err();
        assert!(matches!(&error, TuningFileError::Write { .. }), "{error}");
        assert!(error.to_string().starts_with(saved.path.to_str().unwrap()), "{error}");
    }
}
