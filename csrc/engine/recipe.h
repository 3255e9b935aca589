/* SPDX-License-Identifier: MIT */
/* recipe.h - from an image's size and its random numbers to its geometry */
#ifndef DCTLOAD_RECIPE_H
#define DCTLOAD_RECIPE_H

#include "../common.h"

/* It has no more parts and draws than there may be, and a part has its draws. */
bool recipe_is_valid(const struct dctload_recipe *recipe);

#endif /* DCTLOAD_RECIPE_H */
