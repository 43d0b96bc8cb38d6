use std::path::PathBuf;
use std::process::Command;

/// A small disk of its own, where the machine allows one.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts a disk of a size as mount(8) reads it, like `40k`; `None` without the right to mount.
    pub fn mount(at: PathBuf, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&at)
            .output();
        mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk(at))
    }

    /// Gives it another size; what it holds stays.
    pub fn grow(&self, size: &str) {
        let status =
            Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
