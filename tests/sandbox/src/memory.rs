//! The limit of memory.
//!
//! The processes' resident memory is looked at often and the runtime killed when it is above the
//! memory size. That needs no rights, as a control group would, and unlike a limit of the address
//! space (RLIMIT_AS) it counts what is used and not what is reserved, as Lambda does. What is above
//! the size for a shorter time than between two looks is let through.

use std::sync::Arc;
use std::time::Duration;

use crate::shared::Shared;

/// Between two looks: little against the time that filling a function's memory takes.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

impl Shared {
    /// Kills a runtime when memory runs out, as the kernel does; ends with it.
    pub(crate) async fn watch_memory(self: Arc<Self>, generation: u64, runtime: i32) {
        let limit = u64::from(self.config.function.memory_mb) << 20;
        let runs = || {
            let environment = self.environment();
            environment.generation == generation
                && !environment.ending
                && !environment.runtime.exited
                && !self.is_shut_down()
        };
        while runs() {
            if self.processes.resident_bytes() > limit {
                self.change(|environment| environment.runtime.out_of_memory = true);
                self.processes.kill(runtime);
                return;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}
