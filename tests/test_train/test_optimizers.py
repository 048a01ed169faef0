"""The optimizers against plain references, saving and resuming, weight decay, and temperature scaling."""

import dataclasses
import io

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from train.fitting.calibration import fit_temperature, fold_temperature
from train.fitting.evaluate import loss_and_accuracy
from train.fitting.feature_cache import CachedFeatures, compute_logits
from train.fitting.loop import train_epochs
from train.fitting.optimizers import Lbfgs, Sgd, make_optimizer
from train.recipes import Hyperparameters

pytestmark = pytest.mark.slow  # trains, exports or starts many processes: not for --quick

ROWS, SIZE, CLASSES = 1500, 20, 10
LBFGS = Hyperparameters("lbfgs", 30, 0, 1.0, 0.0, 1e-3, 10)
SGD = Hyperparameters("sgd", 200, 128, 0.1, 0.0, 0.0, 200)


def small_problem(seed=0):
    """Overlapping classes on correlated features of unlike scales: convex, with a finite optimum."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(SIZE, SIZE, generator=generator) * torch.logspace(-1, 0.5, SIZE)
    rows = torch.randn(ROWS, SIZE, generator=generator) @ mix + 3
    logits = (rows - 3) @ torch.randn(SIZE, CLASSES, generator=generator) / 5
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    return CachedFeatures(rows.half().float(), labels)  # values that float16 holds, too


def layer(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(SIZE, CLASSES)


def trained(train, hyper, epochs, linear=None):
    linear = layer() if linear is None else linear
    optimizer = make_optimizer(linear, train, hyper, 0)
    for _ in range(epochs):
        optimizer.run_epoch()
    return linear, optimizer


def objective(train, weight, bias, decay):
    """What Lbfgs says that it minimises; the features' mean variance is what they are scaled by."""
    rows = train.features.to(weight.dtype)
    scale = rows.var(0, correction=0).mean().sqrt()
    return cross_entropy(rows @ weight.T + bias, train.labels) + decay * (weight * scale).square().sum()


def reference_solution(train, decay):
    """The same minimum by torch's L-BFGS on weights and bias as they are, in float64."""
    weight = torch.zeros(CLASSES, SIZE, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(CLASSES, dtype=torch.float64, requires_grad=True)
    lbfgs = torch.optim.LBFGS(
        [weight, bias], max_iter=3000, tolerance_grad=1e-10, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        lbfgs.zero_grad()
        loss = objective(train, weight, bias, decay)
        loss.backward()
        return loss

    lbfgs.step(closure)
    assert weight.grad.abs().max() < 1e-6
    return weight.detach(), bias.detach()


@pytest.mark.parametrize("decay", [1e-3, 1e-5])
def test_lbfgs_finds_the_reference_solution(decay):
    train = small_problem()
    linear, _ = trained(train, dataclasses.replace(LBFGS, weight_decay=decay), 60)
    weight, bias = reference_solution(train, decay)
    best = objective(train, weight, bias, decay)
    found = objective(train, linear.weight.detach().double(), linear.bias.detach().double(), decay)
    assert float(found - best) < 1e-6
    rows = train.features.double()
    expected = rows @ weight.T + bias
    logits = rows @ linear.weight.detach().double().T + linear.bias.detach().double()
    # All biases may be moved alike.
    torch.testing.assert_close(logits.log_softmax(1), expected.log_softmax(1), rtol=0, atol=0.01)


def test_lbfgs_gets_lower_in_30_epochs_than_plain_sgd_in_200():
    train = small_problem()
    by_sgd, _ = trained(train, SGD, 200)
    by_lbfgs, _ = trained(train, dataclasses.replace(LBFGS, weight_decay=0.0), 30)
    losses = [
        float(cross_entropy(compute_logits(linear, train.features), train.labels)) for linear in (by_lbfgs, by_sgd)
    ]
    assert losses[0] < losses[1] < losses[0] + 0.2  # sgd has come close, too


@pytest.mark.parametrize("epochs", [0, 3])
def test_gradient_of_lbfgs_is_autograds(epochs):
    train = small_problem()
    _, optimizer = trained(train, LBFGS, epochs)
    found = optimizer._loss()
    inner, bias = (value.detach().double().requires_grad_() for value in (optimizer._inner, optimizer._bias))
    weight = inner @ optimizer._basis.T.double()
    loss = objective(train, weight, bias - weight @ optimizer._mean.double(), LBFGS.weight_decay)
    loss.backward()
    assert found == pytest.approx(loss.item(), abs=1e-5)
    torch.testing.assert_close(optimizer._inner.grad.double(), inner.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(optimizer._bias.grad.double(), bias.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hyper", [dataclasses.replace(SGD, momentum=0.9), LBFGS], ids=["sgd", "lbfgs"])
def test_resuming_from_a_saved_state_gives_the_same_weights_bit_for_bit(hyper):
    train = small_problem()
    whole, _ = trained(train, hyper, 7)
    part, optimizer = trained(train, hyper, 3)
    file = io.BytesIO()
    torch.save({"linear": part.state_dict(), "optimizer": optimizer.state_dict()}, file)
    optimizer.run_epoch()  # what comes after saving must not change what was saved
    file.seek(0)
    state = torch.load(file, weights_only=True)
    resumed = layer(seed=9)
    resumed.load_state_dict(state["linear"])
    optimizer = make_optimizer(resumed, train, hyper, 0)
    optimizer.load_state_dict(state["optimizer"])
    for _ in range(4):
        optimizer.run_epoch()
    assert torch.equal(resumed.weight, whole.weight)
    assert torch.equal(resumed.bias, whole.bias)


@pytest.mark.parametrize("hyper", [dataclasses.replace(SGD, momentum=0.9), LBFGS], ids=["sgd", "lbfgs"])
def test_a_state_in_memory_is_not_changed_by_the_next_epoch(hyper):
    train = small_problem()
    linear, optimizer = trained(train, hyper, 2)
    kept, weights = optimizer.state_dict(), {name: value.clone() for name, value in linear.state_dict().items()}
    optimizer.run_epoch()
    once = linear.weight.clone()
    linear.load_state_dict(weights)
    optimizer.load_state_dict(kept)
    optimizer.run_epoch()
    assert torch.equal(linear.weight, once)


def test_weight_decay_of_sgd_is_torchs():
    train, hyper = small_problem(), dataclasses.replace(SGD, batch_size=ROWS, weight_decay=0.3)
    linear, expected = layer(), layer()
    cross_entropy(expected(train.features), train.labels).backward()
    Sgd(linear, train, hyper, 0).run_epoch()
    for name in ("weight", "bias"):
        before, gradient = getattr(expected, name), getattr(expected, name).grad
        torch.testing.assert_close(getattr(linear, name), before - 0.1 * (gradient + 0.3 * before))


def test_weight_decay_of_lbfgs_means_the_same_whatever_the_features_scale():
    train = small_problem()
    scaled = CachedFeatures(train.features * 64, train.labels)
    first, _ = trained(train, LBFGS, 60)
    second, _ = trained(scaled, LBFGS, 60)
    torch.testing.assert_close(second.weight * 64, first.weight, rtol=1e-3, atol=1e-4)


def test_more_weight_decay_makes_smaller_weights():
    train = small_problem()
    sizes = [
        trained(train, dataclasses.replace(LBFGS, weight_decay=decay), 40)[0].weight.square().sum().item()
        for decay in (1e-5, 1e-3, 1e-1)
    ]
    assert sizes[0] > sizes[1] > sizes[2] > 0


@pytest.mark.parametrize("hyper", [SGD, LBFGS], ids=["sgd", "lbfgs"])
def test_rows_of_float16_train_like_the_same_values_in_float32(hyper):
    train = small_problem()
    half, _ = trained(CachedFeatures(train.features.half(), train.labels), hyper, 3)
    single, _ = trained(train, hyper, 3)
    assert torch.equal(half.weight, single.weight)
    assert half.weight.dtype == torch.float32


def test_the_name_in_the_hyperparameters_chooses_the_optimizer():
    train = small_problem()
    assert type(make_optimizer(layer(), train, SGD, 0)) is Sgd
    assert type(make_optimizer(layer(), train, LBFGS, 0)) is Lbfgs


# --- temperature ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.5, 2.0])
def test_the_temperature_of_a_scaled_layer_is_found(scale):
    """At the minimum without weight decay the temperature is one: no scaling of the weights lowers the loss."""
    train = small_problem()
    linear, _ = trained(train, dataclasses.replace(LBFGS, weight_decay=0.0), 60)
    expected = linear.weight.detach().clone()
    with torch.no_grad():
        linear.weight *= scale
        linear.bias *= scale
    assert fold_temperature(linear, train) == pytest.approx(scale, rel=0.01)
    torch.testing.assert_close(linear.weight, expected, rtol=0.01, atol=1e-6)


def test_the_temperature_changes_no_prediction_and_lowers_the_loss():
    train, validation = small_problem(), small_problem(seed=1)
    linear, _ = trained(train, LBFGS, 20)
    with torch.no_grad():
        linear.weight *= 1.7
        linear.bias *= 1.7
    before = compute_logits(linear, validation.features)
    temperature = fold_temperature(linear, validation)
    after = compute_logits(linear, validation.features)
    assert torch.equal(before.argmax(1), after.argmax(1))
    torch.testing.assert_close(after, before / temperature)
    assert cross_entropy(after, validation.labels) <= cross_entropy(before, validation.labels)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_calibrated_loss_does_not_depend_on_the_scale(scale):
    train = small_problem()
    linear, _ = trained(train, LBFGS, 20)
    with torch.no_grad():
        linear.weight *= scale
        linear.bias *= scale
    loss, accuracy = loss_and_accuracy(linear, train, calibrated=True)
    fold_temperature(linear, train)
    assert (loss, accuracy) == pytest.approx(loss_and_accuracy(linear, train), rel=1e-4)


def test_the_temperature_is_the_best_of_a_fine_grid():
    train = small_problem()
    linear, _ = trained(train, LBFGS, 20)
    logits = compute_logits(linear, train.features) * 1.3
    grid = torch.linspace(-1, 1, 401).exp()
    losses = torch.stack([cross_entropy(logits / temperature, train.labels) for temperature in grid])
    temperature, loss = fit_temperature(logits, train.labels)
    assert temperature == pytest.approx(float(grid[losses.argmin()]), rel=0.006)
    assert loss == pytest.approx(float(losses.min()), rel=1e-5)


def test_the_best_epoch_is_the_one_that_is_best_with_its_temperature():
    train, validation = small_problem(), small_problem(seed=1)
    plain, calibrated = (
        [
            state.history[-1].validation_loss
            for state in train_epochs(layer(), train, validation, LBFGS, seed=0, calibrated=calibrated)
        ]
        for calibrated in (False, True)
    )
    shared = min(len(plain), len(calibrated))
    assert all(after <= before + 1e-4 for after, before in zip(calibrated[:shared], plain[:shared], strict=True))
    assert calibrated[0] < plain[0] - 0.01  # after one step the logits are far too small
