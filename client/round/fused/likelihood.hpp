// The losses of common/model/likelihood.py and their gradients in the network's outputs, of demand that was seen whole.
// Worked out in double precision, and rounded once.
#pragma once
#include "lanes.hpp"

enum Likelihood { NEGATIVE_BINOMIAL, LOG_NORMAL, HURDLE_NEGATIVE_BINOMIAL, SQUARED_STATES, ROWS };
constexpr double ANCHOR_FLOOR = 0.02;

struct Bucket {
  Doubles anchor, spread, label;
};

// -log P(count) of a negative binomial, and its gradient in log mean and in the output of log alpha.
static inline Doubles count_loss(Doubles count, Doubles log_mean, Doubles output, Doubles *by_mean, Doubles *by_alpha) {
  Doubles log_alpha = at_least(at_most(output, 4.0), -4.0) - 0.5;
  Doubles size = exponential(-log_alpha), odds = log_mean + log_alpha;
  Doubles ratio = softplus(odds), share = sigmoid(odds);
  Gamma both = gamma_of(count + size), own = gamma_of(size);
  *by_mean = size * share - count * (1.0 - share);
  Longs moves = (output <= 4.0) & (output >= -4.0);
  Doubles slope = size * (both.slope - own.slope) - size * ratio + *by_mean;
  *by_alpha = moves ? slope : slope * 0.0;
  return -(both.log - own.log - gamma_of(count + 1.0).log - size * ratio + count * (odds - ratio));
}

static inline Doubles negative_binomial(const Bucket &in, const Doubles *out, Doubles *slopes) {
  return count_loss(in.label, logarithm(in.anchor + ANCHOR_FLOOR) + out[0], out[1], slopes, slopes + 1);
}

static inline Doubles hurdle(const Bucket &in, const Doubles *out, Doubles *slopes) {
  Doubles expected = in.anchor + ANCHOR_FLOOR;
  Doubles logit = logarithm(exponential(at_most(expected, 20.0)) - 1.0) + out[0];
  Longs none = in.label <= 0.0;
  Doubles loss = softplus(none ? logit : -logit);
  slopes[0] = sigmoid(logit) - (none ? every(0.0) : every(1.0));
  Doubles count = count_loss(at_least(in.label - 1.0, 0.0), logarithm(expected) + out[1], out[2], slopes + 1, slopes + 2);
  for (int place = 1; place < 3; place++) slopes[place] = none ? every(0.0) : slopes[place];
  return loss + (none ? every(0.0) : count);
}

static inline Doubles log_normal(const Bucket &in, const Doubles *out, Doubles *slopes) {
  const double largest = 1.6094379124341003;  // log 5
  Doubles clamped = at_least(at_most(out[1], 3.0), -3.0), wide = logarithm(in.spread) + clamped;
  Doubles log_scale = at_most(wide, largest), narrower = exponential(-log_scale);
  Doubles error = (logarithm(1.0 + in.label) - logarithm(1.0 + in.anchor) - out[0]) * narrower;
  Longs none = in.label <= 0.0, moves = (out[1] <= 3.0) & (out[1] >= -3.0) & (wide <= largest);
  Doubles slope = 1.0 - error * error;
  slopes[0] = none ? every(0.0) : -error * narrower;
  slopes[1] = none ? every(0.0) : (moves ? slope : slope * 0.0);
  return none ? every(0.0) : 0.5 * error * error + log_scale;
}

static inline Doubles loss_of(int likelihood, const Bucket &in, const Doubles *out, Doubles *slopes) {
  if (likelihood == NEGATIVE_BINOMIAL) return negative_binomial(in, out, slopes);
  return likelihood == LOG_NORMAL ? log_normal(in, out, slopes) : hurdle(in, out, slopes);
}
