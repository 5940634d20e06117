//! Golden values: every operation, initialiser, optimizer and training run against what PyTorch computes.
//!
//! The cases stand in `tests/golden` (or where `RETROGRAD_GOLDEN` points), described in the README there.
//! Each runs in double precision and, within a wider tolerance, in single. What Retrograd does not have
//! counts as unknown and is listed with the reason; `cargo test --test golden -- --nocapture` prints it all.

mod golden_runner;

use golden_runner::Directory;

/// The catalogue of doubtful configurations.
const REFUSALS: &str = "errors";

/// A row: the name of the test, the family whose cases it runs.
macro_rules! families {
    ($($test:ident: $family:literal;)*) => {
        const FAMILIES: &[&str] = &[$($family,)* REFUSALS];

        $(
            #[test]
            fn $test() {
                Directory::find().check($family);
            }
        )*
    };
}

families! {
    activations_agree_with_pytorch: "activations";
    adaptive_pooling_agrees_with_pytorch: "adaptive_pool";
    average_pooling_agrees_with_pytorch: "avg_pool";
    convolution_agrees_with_pytorch: "conv";
    transposed_convolution_agrees_with_pytorch: "conv_transpose";
    further_layers_agree_with_pytorch: "further";
    initialisers_draw_from_the_distributions_of_pytorch: "init";
    linear_layers_agree_with_pytorch: "linear";
    losses_agree_with_pytorch: "loss";
    learning_rates_follow_the_schedules_of_pytorch: "lr_scheduler";
    maximum_pooling_agrees_with_pytorch: "max_pool";
    maximum_unpooling_agrees_with_pytorch: "max_unpool";
    models_train_as_in_pytorch: "models";
    normalisation_agrees_with_pytorch: "norm";
    optimizers_take_the_steps_of_pytorch: "optim";
    tensor_operations_agree_with_pytorch: "tensor_ops";
    upsampling_agrees_with_pytorch: "upsample";
}

#[test]
fn no_family_is_passed_over() {
    Directory::find().check_others(FAMILIES);
}

#[test]
fn what_pytorch_refuses_is_refused_and_what_it_accepts_is_accepted() {
    Directory::find().check_refusals(REFUSALS);
}
