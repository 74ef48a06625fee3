"""How every form of the console is drawn."""

from django.forms.renderers import TemplatesSetting


class Renderer(TemplatesSetting):
    """Django's own form rendering, with our field and form templates."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"
